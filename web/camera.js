// The browser's cameras: asked for, listed, and in words when there is none. Everything it touches is handed in.

/**
 * A stream of one camera.
 *
 * @param {MediaDevices} devices
 * @param {string} deviceId the camera to take, "" for any: on a phone preferably the one that looks away from its owner
 * @returns {Promise<MediaStream>}
 * @throws {DOMException} see cameraTrouble
 */
export async function askForCamera(devices, deviceId) {
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const anyOne = { video: { ...size, facingMode: { ideal: "environment" } }, audio: false };
  if (deviceId === "") return devices.getUserMedia(anyOne);
  try {
    return await devices.getUserMedia({ video: { ...size, deviceId: { exact: deviceId } }, audio: false });
  } catch (error) {
    // One that was remembered and is not there any more: browsers also change the ids when their data is cleared.
    if (error.name !== "OverconstrainedError" && error.name !== "NotFoundError") throw error;
    return devices.getUserMedia(anyOne);
  }
}

/** The cameras as [{id, name}]; their names are known only after a permission, so a number stands in for one. */
export async function listCameras(devices) {
  const found = (await devices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  return found.map(({ deviceId, label }, i) => ({ id: deviceId, name: label || `Camera ${i + 1}` }));
}

/** Why a page that finds no `navigator.mediaDevices` has none. */
export function noDevices(secure) {
  if (secure) return "this browser has no camera for pages";
  return "browsers give a camera only to pages on https or on localhost, and this address is neither";
}

/** What a failed askForCamera means, and what to do. */
export function cameraTrouble(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      if (/system/i.test(error.message)) return "the operating system does not let this browser use the camera";
      return "it was not allowed; allow the camera for this page in the browser's settings, then try again";
    case "SecurityError":
      return "the browser does not let this page use a camera";
    case "NotFoundError":
    case "DevicesNotFoundError":
      return NO_CAMERA;
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return "the camera does not answer; another program may be using it";
    default:
      return `the browser says: ${error.message || error.name}`;
  }
}

export const NO_CAMERA = "none is connected to this device";
export const UNPLUGGED = "the camera was unplugged or taken away";
