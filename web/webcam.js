// This device's own camera as a source: its pictures go to the server, what is in them comes back. A state machine
// around a Connection that knows neither the page nor the browser's camera.
//
//            open()            a stream
//      off ─────────▶ asking ─────────────▶ the Connection's phases: connecting, live, waiting, closed
//                      ▲  │                    │
//          a camera is │  │ refused, none      │ unplugged, nothing can be taken from it
//          plugged in  │  ▼                    ▼
//                    no-camera ◀────────────────
//
//      any state ── hidden for HIDDEN_MS ──▶ resting ── seen again ──▶ asking
//      any state ── close() ──▶ off, for good
//
// The camera is on in the Connection's phases only, "closed" excepted: its light must not burn for nothing.
// At most MAX_UNDER_WAY pictures are sent and not yet drawn. Nothing is queued: the next one is taken when there is room
// for it, so a slow link or a paused page costs pictures and never adds to their age.

import { cameraTrouble, NO_CAMERA, noDevices, UNPLUGGED } from "./camera.js";
import { Connection } from "./connection.js";

export const MAX_UNDER_WAY = 2;
export const HIDDEN_MS = 30_000;
const SIDES = [256, 1024]; // pixels of the longer side: for the smallest networks, and for the largest

/**
 * Handlers: those of a Connection, and cameras({list, id}) when they are known. link's phase may also be asking,
 * no-camera (with the reason) or resting. A result has the JPEG that was sent, as if the server had sent it back.
 *
 * World: that of a Connection, and film (see film.js), secure, and devices: null where the browser has none, else
 * {ask(deviceId) -> Promise of a MediaStream, list() -> Promise of [{id, name}], onChange(callback) -> how to stop}.
 */
export class Webcam {
  #url;
  #handlers;
  #world;
  #deviceId;
  #phase = "off";
  #over = false;
  #trouble = "";
  #turn = 0; // what was asked for in an earlier one must not come into this one
  #stream = null;
  #connection = null;
  #seq = 0;
  #underWay = new Map(); // seq -> the picture
  #side = SIDES[0];
  #cancelFrame = null;
  #grabbing = false;
  #hiddenTimer = null;
  #unlisten = null;

  constructor(url, deviceId, handlers, world) {
    this.#url = url;
    this.#deviceId = deviceId;
    this.#handlers = handlers;
    this.#world = world;
  }

  get phase() {
    return this.#connection?.phase ?? this.#phase;
  }

  get rttMs() {
    return this.#connection?.rttMs ?? null;
  }

  open() {
    if (this.#phase !== "off" || this.#over) return;
    this.#unlisten = this.#world.devices?.onChange(() => this.#changed()) ?? null;
    this.#ask();
  }

  /** Ends a wait for the server early. It does not ask for the camera: that question is its user's to raise again. */
  retryNow() {
    this.#connection?.retryNow();
  }

  /** For good; the camera is off. No handler is called afterwards. */
  close() {
    this.#over = true;
    this.#unlisten?.();
    this.#clearHidden();
    this.#off();
    this.#phase = "off";
  }

  /** Picture `seq` is on the stage, and with it all before it is done with. */
  ack(seq) {
    for (const sent of this.#underWay.keys()) if (sent <= seq) this.#underWay.delete(sent);
    this.#pump();
  }

  explain(index) {
    this.#connection?.explain(index);
  }

  /** Takes another camera. */
  use(deviceId) {
    if (this.#over || deviceId === this.#deviceId) return;
    this.#deviceId = deviceId;
    this.#off();
    this.#ask();
  }

  /** The tab went out of sight or came back. */
  setHidden(hidden) {
    if (this.#over) return;
    if (!hidden) {
      this.#clearHidden();
      if (this.#phase === "resting") this.#ask();
    } else {
      this.#hiddenTimer ??= this.#world.setTimer(() => {
        this.#hiddenTimer = null;
        if (this.#phase === "no-camera") return;
        this.#off();
        this.#enter("resting", "");
      }, HIDDEN_MS);
    }
  }

  async #ask() {
    const { devices, secure } = this.#world;
    const turn = ++this.#turn;
    if (devices === null) {
      this.#enter("no-camera", noDevices(secure));
      return;
    }
    this.#enter("asking", "");
    let stream;
    try {
      stream = await devices.ask(this.#deviceId);
    } catch (error) {
      if (turn === this.#turn) this.#enter("no-camera", cameraTrouble(error));
      return;
    }
    if (turn !== this.#turn) {
      stop(stream); // another source was chosen while the browser asked its user
      return;
    }
    this.#stream = stream;
    const [track] = stream.getVideoTracks();
    track.onended = () => {
      if (turn === this.#turn) this.#lose(UNPLUGGED);
    };
    this.#deviceId = track.getSettings().deviceId ?? this.#deviceId;
    this.#world.film.show(stream);
    this.#phase = "on";
    this.#connect();
    this.#list();
  }

  #connect() {
    const { hello, result, ...others } = this.#handlers;
    const handlers = {
      ...others,
      link: (link) => {
        this.#underWay.clear(); // what an earlier socket was sent is not answered on this one
        if (link.phase === "closed") this.#film(null);
        this.#handlers.link(link);
      },
      hello: (message) => {
        this.#side = Math.min(SIDES[1], Math.max(SIDES[0], 2 * (message.input_size ?? 0)));
        hello(message);
        this.#pump();
      },
      skipped: ({ seq }) => {
        this.#underWay.delete(seq);
        this.#pump();
      },
      result: (message) => {
        const picture = this.#underWay.get(message.header.seq) ?? { jpeg: null, size: null };
        const header = { ...message.header, jpeg: picture.size };
        result({ ...message, header, jpeg: picture.jpeg });
      },
    };
    this.#connection = new Connection(this.#url, handlers, this.#world);
    this.#connection.open();
  }

  #pump() {
    const room = this.#underWay.size < MAX_UNDER_WAY && !this.#grabbing && this.#cancelFrame === null;
    if (!room || this.#connection?.phase !== "live") return;
    this.#cancelFrame = this.#world.film.nextFrame(() => {
      this.#cancelFrame = null;
      this.#grab();
    });
  }

  async #grab() {
    const [turn, t] = [this.#turn, this.#world.now()];
    let picture = null;
    let failure = null;
    this.#grabbing = true;
    try {
      picture = await this.#world.film.grab(this.#side);
    } catch (error) {
      failure = error;
    }
    this.#grabbing = false;
    if (turn === this.#turn && failure !== null) {
      this.#lose({ key: "camera.blind", why: failure.message });
      return;
    }
    if (turn === this.#turn && picture !== null && this.#connection.sendFrame(this.#seq, t, picture.jpeg)) {
      this.#underWay.set(this.#seq++, picture);
    }
    this.#pump();
  }

  async #list() {
    const turn = this.#turn;
    try {
      const list = await this.#world.devices.list();
      if (turn === this.#turn) this.#handlers.cameras({ list, id: this.#deviceId });
      return list;
    } catch {
      return []; // only the picker needs it
    }
  }

  async #changed() {
    const list = await this.#list();
    const mayBeBack = this.#trouble === UNPLUGGED || this.#trouble === NO_CAMERA;
    if (this.#phase === "no-camera" && mayBeBack && list.length > 0 && !this.#over) this.#ask();
  }

  #lose(reason) {
    this.#off();
    this.#enter("no-camera", reason);
  }

  #enter(phase, reason) {
    this.#phase = phase;
    this.#trouble = reason;
    this.#handlers.link({ phase, reason, attempt: 0, retryAtMs: null });
  }

  /** Camera and connection off. */
  #off() {
    this.#turn++;
    this.#connection?.close();
    this.#connection = null;
    this.#underWay.clear();
    this.#film(null);
  }

  #film(stream) {
    this.#cancelFrame?.();
    this.#cancelFrame = null;
    this.#world.film.show(stream);
    if (this.#stream !== null) stop(this.#stream);
    this.#stream = null;
  }

  #clearHidden() {
    if (this.#hiddenTimer !== null) this.#world.clearTimer(this.#hiddenTimer);
    this.#hiddenTimer = null;
  }
}

function stop(stream) {
  for (const track of stream.getTracks()) track.stop(); // does not fire "ended": that is for what others do to it
}
