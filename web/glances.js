// All other sources at a glance: a small picture of each and its label, a new one every GLANCE_MS.
//
// Each is watched like the chosen one, by a viewer that takes its time to acknowledge: the server then sends the newest
// there is, and encodes nothing in between. Two are under way at a time, and the older one is acknowledged at each turn.

import { Connection } from "./connection.js";

export const GLANCE_MS = 2_000;

export class Glances {
  #urlOf;
  #seen;
  #world;
  #open = new Map(); // name -> Connection

  /**
   * urlOf(name): of its websocket. seen(name, message, label): a result came; label: the model's own, "" for none.
   * World: that of a Connection, and hidden(): whether nobody can look.
   */
  constructor(urlOf, seen, world) {
    this.#urlOf = urlOf;
    this.#seen = seen;
    this.#world = world;
  }

  /** Watches these sources, and no others. */
  watch(names) {
    for (const [name, connection] of this.#open) {
      if (names.includes(name)) continue;
      connection.close();
      this.#open.delete(name);
    }
    for (const name of names) if (!this.#open.has(name)) this.#open.set(name, this.#connect(name));
  }

  #connect(name) {
    let labels = [];
    let pending = []; // results that are not acknowledged, oldest first
    let waits = false;
    const turn = () => {
      if (waits || pending.length === 0) return;
      waits = true;
      this.#world.setTimer(() => {
        waits = false;
        if (!this.#world.hidden() && pending.length > 0) connection.ack(pending.shift());
        turn();
      }, GLANCE_MS);
    };
    const ignore = () => {};
    const handlers = {
      link: () => {
        pending = []; // of an earlier socket: not to be acknowledged on the next
      },
      hello: (hello) => {
        labels = hello.labels;
      },
      result: (message) => {
        pending.push(message.header.seq);
        this.#seen(name, message, labels[message.header.stable.index] ?? "");
        turn();
      },
      status: ignore,
      notice: ignore,
      rtt: ignore,
    };
    const connection = new Connection(this.#urlOf(name), handlers, this.#world);
    connection.open();
    return connection;
  }
}
