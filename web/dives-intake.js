// Recordings on their way in: of this page, and those on the server that no page sends.

import { Gathering, isLog } from "./dives-gathering.js";
import { ask, tell } from "./dives-server.js";
import { BROWSER, Sending, isSame } from "./dives-upload.js";
import { Uploads } from "./dives-uploads.js";
import { t } from "./text.js";

const $ = (id) => document.getElementById(id);

export class Intake {
  #page;
  #uploads = new Uploads($("uploads"), (does, key) => this.#onUpload(does, key));
  #sendings = []; // of this page
  #gatherings = []; // of these
  #interrupted = []; // on the server, of no page that we know of

  /** @param {{poll: () => void, say: (text: string) => void}} page */
  constructor(page) {
    this.#page = page;
    addEventListener("beforeunload", (event) => {
      if (this.#are("sending", "retrying", "waiting", "here")) event.preventDefault();
    });
    addEventListener("online", () => {
      for (const sending of this.#sendings) sending.hurry();
    });
    setInterval(() => {
      if (this.#are("retrying")) this.#show(); // its seconds count down
    }, 1_000);
  }

  /** Looks what the server has of uploads; true while this page sends. */
  async load() {
    const open = await ask("api/uploads");
    this.#interrupted = open.filter(({ id }) => !this.#sendings.some((sending) => sending.id === id));
    this.#show();
    return this.#are("sending", "retrying");
  }

  /** Says everything in another language. */
  translate() {
    this.#uploads.clear();
    this.#show();
  }

  /** @param {File[]} files recordings, and with them at most one dive log; several are asked about */
  async take(files) {
    const { say } = this.#page;
    const empty = files.find(({ size }) => size === 0);
    if (empty) say(t("upload.empty", { name: empty.name }));
    const whole = files.filter(({ size }) => size > 0);
    const [videos, logs] = [whole.filter((file) => !isLog(file)), whole.filter(isLog)];
    if (videos.length === 0) return void (logs.length > 0 && say(t("upload.log-alone")));
    let wanted = { one: false, startUtc: null, log: null, offsetS: null };
    if (videos.length > 1 || logs.length > 0 || $("ask").checked) {
      const { askJoining } = await import("./dives-joining.js");
      wanted = await askJoining(videos, logs[0] ?? null);
      if (wanted === null) return;
    }
    const everyS = $("every").value === "" ? null : Number($("every").value);
    for (const together of wanted.one ? [videos] : videos.map((video) => [video])) this.#gather(together, everyS, wanted);
    this.#show();
    this.#sendNext();
  }

  /** Files of one dive. */
  #gather(files, everyS, { log, startUtc, offsetS }) {
    const gathering = new Gathering({ startUtc, offsetS });
    const belongs = (sending) => gathering.belongs(sending);
    const sending = (file) => {
      const upload = this.#interrupted.find((one) => isSame(file, one)) ?? null;
      this.#interrupted = this.#interrupted.filter((one) => one !== upload);
      return new Sending(file, { everyS, upload, belongs }, BROWSER, () => this.#show());
    };
    gathering.log = log && sending(log);
    gathering.recordings = files.map(sending);
    this.#gatherings.push(gathering);
    this.#sendings.push(...[gathering.log].filter(Boolean), ...gathering.recordings);
  }

  #are(...states) {
    return this.#sendings.some(({ state }) => states.includes(state));
  }

  #show() {
    const ours = this.#sendings
      .map((sending, i) => ({
        key: `s${i}`,
        name: sending.name,
        state: sending.state,
        offset: sending.offset,
        size: sending.size,
        rate: sending.rate,
        reason: sending.reason,
        retryAtMs: sending.retryAtMs,
      }))
      .filter(({ state }) => state !== "cancelled" && state !== "done");
    const theirs = this.#interrupted.map((upload) => ({ ...upload, key: upload.id, state: "interrupted", rate: null, reason: "" }));
    this.#uploads.show([...ours, ...theirs], performance.now());
  }

  /** One at a time: two would only share the line. */
  #sendNext() {
    if (this.#are("sending", "retrying")) return;
    for (const gathering of this.#gatherings) gathering.settle();
    const whole = this.#gatherings.map((gathering) => gathering.next()).find(Boolean);
    const next = whole ?? this.#sendings.find(({ state }) => state === "waiting");
    if (next !== undefined) this.#send(next);
  }

  #send(sending) {
    sending.start().then(() => {
      this.#sendNext();
      this.#page.poll();
    });
    this.#page.poll();
  }

  #onUpload(does, key) {
    const { poll, say } = this.#page;
    const sending = key.startsWith("s") ? this.#sendings[Number(key.slice(1))] : undefined;
    if (sending === undefined) {
      tell(`api/uploads/${key}`, "DELETE").catch((error) => say(error.message)).then(poll);
    } else if (does === "pause") {
      sending.pause();
      this.#sendNext();
    } else if (does === "resume") {
      this.#send(sending);
    } else {
      sending.cancel().then(poll);
      for (const { orphan } of this.#gatherings) orphan?.cancel();
      this.#show();
      this.#sendNext();
    }
  }
}
