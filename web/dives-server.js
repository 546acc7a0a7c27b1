// Asks the server; what it says no with becomes an error in words.

import { refusal } from "./dives-words.js";

export const ask = async (path, options = {}) => read(await fetch(path, options));

export const tell = (path, method, body) =>
  ask(path, { method, headers: { "content-type": "application/json" }, body: body && JSON.stringify(body) });

/** What an answer holds. Raises an Error with its status, and of a dive log its misfit. */
export async function read(answer) {
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  if (answer.status === 401) location.reload(); // as the page for logging in
  const { detail, misfit } = await answer.json().catch(() => ({}));
  throw Object.assign(new Error(refusal(answer.status, detail)), { status: answer.status, misfit });
}
