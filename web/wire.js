// What travels on the websocket, taken apart: bytes in, plain values out, or a WireError that says what is wrong.
//
//   binary  4-byte big-endian header length | JSON header (UTF-8) | heat map, rows * cols bytes | JPEG, may be absent
//   text    one JSON object with a "type": hello, status, notice or pong
//
// serving/wire.py writes it; both sides read tests/vectors/wire.json. Fields that this version does not know are
// ignored, so that a server may add some. Pure: no socket, no clock, no DOM.

export const VERSION = 1;

/** The message breaks the format. Its text says which field, what was expected and what was received. */
export class WireError extends Error {
  name = "WireError";
}

const LENGTH_BYTES = 4;
const MAX_CAM_SIDE = 256; // the grid is a sixteenth of the input's side; 256 would be a 4096-pixel network
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Takes a binary message apart.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{header: object, cam: Uint8Array, jpeg: Uint8Array|null}} views into `buffer`, not copies;
 *   cam is row by row, header.cam = [rows, cols]; jpeg is null exactly when header.jpeg is.
 * @throws {WireError}
 */
export function decodeResult(buffer) {
  if (buffer.byteLength < LENGTH_BYTES) {
    const received = `${buffer.byteLength} bytes where the header's length takes ${LENGTH_BYTES}`;
    throw new WireError(`message: truncated, ${received}`);
  }
  const headerLength = new DataView(buffer).getUint32(0);
  const available = buffer.byteLength - LENGTH_BYTES;
  if (headerLength > available) {
    throw new WireError(`header: truncated, ${headerLength} bytes announced, ${available} received`);
  }
  const header = parseJson("header", decodeUtf8(new Uint8Array(buffer, LENGTH_BYTES, headerLength)));
  checkHeader(header);

  const camStart = LENGTH_BYTES + headerLength;
  const camLength = header.cam[0] * header.cam[1];
  const rest = buffer.byteLength - camStart;
  if (camLength > rest) throw new WireError(`cam: truncated, ${camLength} bytes announced, ${rest} received`);
  const jpegLength = rest - camLength;
  if (header.jpeg === null && jpegLength > 0) {
    throw new WireError(`jpeg: the header announces none, ${jpegLength} bytes received`);
  }
  if (header.jpeg !== null && jpegLength === 0) throw new WireError("jpeg: announced by the header, no bytes received");
  return {
    header,
    cam: new Uint8Array(buffer, camStart, camLength),
    jpeg: header.jpeg === null ? null : new Uint8Array(buffer, camStart + camLength, jpegLength),
  };
}

/**
 * A picture of this device's own camera as the server takes it.
 *
 * @param {number} seq higher than any before
 * @param {number} t the page's clock in milliseconds; echoed
 * @param {Uint8Array} jpeg
 * @returns {Uint8Array}
 */
export function encodeFrame(seq, t, jpeg) {
  const header = new TextEncoder().encode(JSON.stringify({ v: VERSION, seq, t }));
  const message = new Uint8Array(LENGTH_BYTES + header.length + jpeg.length);
  new DataView(message.buffer).setUint32(0, header.length);
  message.set(header, LENGTH_BYTES);
  message.set(jpeg, LENGTH_BYTES + header.length);
  return message;
}

/**
 * Takes a text message apart.
 *
 * @param {string} text
 * @returns {object|null} the message, or null for a type that this version does not know
 * @throws {WireError}
 */
export function decodeText(text) {
  const message = parseJson("message", text);
  switch (message.type) {
    case "hello":
      checkVersion(message.v);
      expect("source", message.source, isText, "text");
      expect("labels", message.labels, (value) => Array.isArray(value) && value.every(isText), "a list of texts");
      expect("provider", message.provider, isText, "text");
      return message;
    case "status":
      expect("state", message.state, isText, "text");
      return message;
    case "notice":
      expect("text", message.text, isText, "text");
      expect("explain", message.explain, (value) => value === -1 || isCount(value), "an integer from -1");
      return message;
    case "skipped":
      expect("seq", message.seq, isCount, "an integer from 0");
      return message;
    case "pong":
      expect("t", message.t, isNumber, "a number");
      return message;
    default:
      expect("type", message.type, isText, "text");
      return null;
  }
}

function checkHeader(header) {
  checkVersion(header.v);
  expect("source", header.source, isText, "text");
  for (const name of ["seq", "frame", "explained"]) expect(name, header[name], isCount, "an integer from 0");
  for (const name of ["captured", "dropped"]) expect(name, header[name], isCount, "an integer from 0");
  for (const name of ["media_s", "age_ms", "unknown", "rate"]) expect(name, header[name], isNumber, "a number");
  for (const name of ["utc", "utc_source"]) expect(name, header[name], isText, "text");
  expect("size", header.size, isSize, "[height, width] in pixels");
  expect("cam", header.cam, (value) => isSize(value) && Math.max(...value) <= MAX_CAM_SIDE, "[rows, columns]");
  expect("jpeg", header.jpeg, (value) => value === null || isSize(value), "[height, width] in pixels, or null");
  expect("top", header.top, (value) => Array.isArray(value) && value.every(isScore), "a list of [index, probability]");
  expect("stable", header.stable, isStable, "{index, probability, since_s}");
}

function checkVersion(version) {
  if (version !== VERSION) {
    const advice = Number.isInteger(version) ? "; reload the page" : "";
    throw new WireError(`v: expected version ${VERSION}, received ${describe(version)}${advice}`);
  }
}

function expect(name, value, accepts, expected) {
  if (!accepts(value)) throw new WireError(`${name}: expected ${expected}, received ${describe(value)}`);
}

const isText = (value) => typeof value === "string";
const isNumber = (value) => Number.isFinite(value);
const isCount = (value) => Number.isInteger(value) && value >= 0;
const isPair = (value) => Array.isArray(value) && value.length === 2;
const isSize = (value) => isPair(value) && value.every((side) => isCount(side) && side > 0);
const isScore = (value) => isPair(value) && isCount(value[0]) && isNumber(value[1]);
const isStable = (value) =>
  isObject(value) &&
  (value.index === null || isCount(value.index)) &&
  isNumber(value.probability) &&
  isNumber(value.since_s);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function decodeUtf8(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new WireError("header: not UTF-8");
  }
}

function parseJson(name, text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new WireError(`${name}: not JSON`);
  }
  if (!isObject(value)) throw new WireError(`${name}: expected a JSON object, received ${describe(value)}`);
  return value;
}

function describe(value) {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
