// One websocket to one source, kept alive: a state machine that knows neither the page nor the real clock.
//
//   idle -- open() --> connecting -- hello --> live;  both -- lost --> waiting -- delay over, retryNow() --> connecting
//   all -- refused for good (REFUSALS), close() --> closed
//
// "lost" is: the socket closed or failed, no hello within HELLO_MS, a ping unanswered for PONG_MS, or a message
// that cannot be read. The wait doubles from WAIT_FIRST_MS to WAIT_MAX_MS, with jitter lest all pages come back at
// once, and starts over after SETTLED_MS of being live. A server without a place says itself how long to wait.

import { duration } from "./format.js";
import { decodeResult, decodeText, encodeFrame, WireError } from "./wire.js";

export const HELLO_MS = 8_000;
export const PING_MS = 2_000;
export const PONG_MS = 8_000;
export const WAIT_FIRST_MS = 500;
export const WAIT_MAX_MS = 15_000;
export const SETTLED_MS = 10_000;

// Close codes for good, and those that pass: closed.CODE says what they mean.
export const REFUSALS = new Set([1008, 1009, 4400, 4403, 4404]);
const LOSSES = new Set([1001, 1006, 1011, 1012]);

const RTT_WEIGHT = 0.3; // of the newest measurement: calm enough to read, quick enough to follow a link that fills up
const OURS = 4000; // close code for "I give this one up", from the range that pages may use

/**
 * Handlers: link({phase, reason, attempt, retryAtMs}) at every change (reason: see text.js), hello(message),
 * status(message), notice(message) of a request refused, rtt(ms), result({header, cam, jpeg, receivedMs}),
 * skipped(message) of a picture sent and never classified.
 *
 * World: openSocket(url), refusal(url) -> Promise of what refused.js says, never rejected, now() -> monotonic ms,
 * setTimer(callback, ms) -> id, clearTimer(id), random() -> [0, 1).
 */
export class Connection {
  #url;
  #handlers;
  #world;
  #phase = "idle";
  #socket = null;
  #timers = new Set();
  #attempt = 0;
  #reason = "";
  #liveSinceMs = 0;
  #unansweredMs = null; // when the oldest unanswered ping was sent
  #rttMs = null;

  constructor(url, handlers, world) {
    this.#url = url;
    this.#handlers = handlers;
    this.#world = world;
  }

  get phase() {
    return this.#phase;
  }

  /** Smoothed round trip in milliseconds, null before the first pong. */
  get rttMs() {
    return this.#rttMs;
  }

  open() {
    if (this.#phase === "idle") this.#connect();
  }

  /** Ends a wait early; does nothing in any other state. */
  retryNow() {
    if (this.#phase === "waiting") this.#connect();
  }

  /** For good. No handler is called afterwards. */
  close() {
    this.#phase = "closed";
    this.#release(1000, "");
  }

  /** Tells the server that message `seq` has been drawn, so that it may send another. */
  ack(seq) {
    if (this.#phase === "live") this.#send({ type: "ack", seq });
  }

  /** Asks for heat maps of a class from now on; -1 for the most probable, as after every hello. */
  explain(index) {
    if (this.#phase === "live") this.#send({ type: "explain", class: index });
  }

  /** Sends a picture of this device's own camera; false when there is no connection for it now. */
  sendFrame(seq, t, jpeg) {
    return this.#phase === "live" && this.#give(encodeFrame(seq, t, jpeg));
  }

  #connect() {
    this.#release(OURS, "");
    this.#rttMs = null;
    this.#enter("connecting", this.#reason);
    let socket;
    try {
      socket = this.#world.openSocket(this.#url);
    } catch (error) {
      // Only an address that no browser opens throws here, and would again.
      this.#enter("closed", { key: "lost.address", why: error.message });
      return;
    }
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    // A socket that was given up can still fire; its events must not reach the next one's state.
    const current = (handle) => (event) => {
      if (this.#socket === socket) handle(event);
    };
    socket.onmessage = current((event) => this.#receive(event.data));
    socket.onclose = current((event) => this.#closed(event.code, event.reason));
    socket.onerror = current(() => this.#closed(1006));
    this.#after(HELLO_MS, () => this.#lost({ key: "lost.hello", time: duration(HELLO_MS / 1000) }));
  }

  #receive(data) {
    const receivedMs = this.#world.now();
    try {
      if (typeof data === "string") this.#receiveText(decodeText(data), receivedMs);
      else if (this.#phase === "live") this.#handlers.result({ ...decodeResult(data), receivedMs });
      else throw new WireError("a result before hello");
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#lost({ key: "lost.message", why: error.message });
    }
  }

  #receiveText(message, receivedMs) {
    switch (message?.type) {
      case "hello":
        if (this.#phase === "connecting") this.#goLive(receivedMs);
        this.#handlers.hello(message);
        break;
      case "status":
        this.#handlers.status(message);
        break;
      case "notice":
        this.#handlers.notice(message);
        break;
      case "skipped":
        this.#handlers.skipped(message);
        break;
      case "pong":
        this.#unansweredMs = null;
        this.#measure(receivedMs - message.t);
        break;
    }
  }

  #goLive(nowMs) {
    this.#clearTimers();
    this.#liveSinceMs = nowMs;
    this.#unansweredMs = null;
    this.#reason = "";
    this.#enter("live", "");
    this.#ping();
  }

  #ping() {
    const nowMs = this.#world.now();
    if (this.#unansweredMs !== null && nowMs - this.#unansweredMs >= PONG_MS) {
      this.#lost({ key: "lost.pong", time: duration((nowMs - this.#unansweredMs) / 1000) });
      return;
    }
    this.#unansweredMs ??= nowMs;
    this.#send({ type: "ping", t: nowMs });
    this.#after(PING_MS, () => this.#ping());
  }

  #measure(rttMs) {
    if (!(rttMs >= 0)) return; // an echo that was never sent by this page
    this.#rttMs = this.#rttMs === null ? rttMs : this.#rttMs + RTT_WEIGHT * (rttMs - this.#rttMs);
    this.#handlers.rtt(this.#rttMs);
  }

  #closed(code, reason) {
    if (REFUSALS.has(code)) {
      this.#release(OURS, "");
      this.#enter("closed", closing(code, reason));
    } else if (code === 1006 && this.#phase === "connecting") {
      this.#refused(closing(code, reason));
    } else {
      this.#lost(closing(code, reason));
    }
  }

  /** The handshake failed, and browsers do not tell why. */
  async #refused(reason) {
    this.#release(OURS, "");
    const full = await this.#world.refusal(this.#url);
    if (this.#phase !== "connecting") return;
    if (full === null) this.#lost(reason);
    else this.#lost({ key: "closed.503", detail: full.why }, full.retryMs);
  }

  #lost(reason, retryMs = 0) {
    const settled = this.#phase === "live" && this.#world.now() - this.#liveSinceMs >= SETTLED_MS;
    this.#attempt = settled ? 1 : this.#attempt + 1;
    this.#release(OURS, "given-up");
    const ceiling = Math.min(WAIT_MAX_MS, WAIT_FIRST_MS * 2 ** Math.min(this.#attempt - 1, 16));
    const spread = 0.5 + 0.5 * this.#world.random();
    const waitMs = retryMs ? retryMs * (0.5 + spread) : ceiling * spread; // a server's time is the least
    this.#reason = reason;
    this.#enter("waiting", reason, this.#world.now() + waitMs);
    this.#after(waitMs, () => this.#connect());
  }

  #enter(phase, reason, retryAtMs = null) {
    this.#phase = phase;
    this.#handlers.link({ phase, reason, attempt: this.#attempt, retryAtMs });
  }

  #send(message) {
    this.#give(JSON.stringify(message));
  }

  #give(data) {
    // A socket that closes right now only complains; its close event will tell.
    if (this.#socket === null || this.#socket.readyState > 1) return false;
    this.#socket.send(data);
    return true;
  }

  #release(code, reason) {
    this.#clearTimers();
    const socket = this.#socket;
    this.#socket = null;
    if (socket !== null) socket.close(code, reason);
  }

  #after(delayMs, callback) {
    const id = this.#world.setTimer(() => {
      this.#timers.delete(id);
      callback();
    }, delayMs);
    this.#timers.add(id);
  }

  #clearTimers() {
    for (const id of this.#timers) this.#world.clearTimer(id);
    this.#timers.clear();
  }
}

/** Why a connection ended: the server's own words where they say more than the code. */
function closing(code, detail = "") {
  const meaning = REFUSALS.has(code) || LOSSES.has(code) ? code : "other";
  return { key: `closed.${meaning}`, code: String(code), detail };
}
