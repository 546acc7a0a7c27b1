// What the page of dives begins with beside the words that both pages share (early.js), asked for ahead of its modules:
// its own words, and a first screen of the library; or, where the address names a dive, the modules of the player. Words
// lie beside the script, of one edition with it: a browser that has them asks for none.
{
  const { early, document: page, location: at } = window;
  // Read to the end at once: nobody waits for it once the modules have come.
  const whole = async (asked) => {
    const answer = await asked;
    const body = answer.ok ? await answer.json() : null;
    if (answer.ok) answer.json = async () => body;
    return answer;
  };
  const own = fetch(new URL(`dives-${page.documentElement.lang}.json`, page.currentScript.src));
  early.words = [...early.words, own].map(whole);
  early.list = at.hash.length > 1 ? null : whole(fetch("api/dives?limit=24"));
  for (const asked of [...early.words, early.list]) asked?.catch(() => {}); // said where it is used
  if (at.hash.length > 1) page.head.append(page.getElementById("player-modules").content.cloneNode(true));
}
