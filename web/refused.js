// Why a websocket was refused: browsers keep that from their pages, so its address is asked again as a plain one.

/** {retryMs, why} where the server says when to come back; null where it would take us, or says something else. */
export async function refusal(socketUrl) {
  try {
    const answer = await fetch(socketUrl.replace(/^ws/, "http"), { signal: AbortSignal.timeout(8_000) });
    const retryMs = 1000 * Number(answer.headers.get("retry-after"));
    return retryMs > 0 ? { retryMs, why: (await answer.json()).detail ?? "" } : null;
  } catch {
    return null; // there is no server, or a proxy's page in its place
  }
}
