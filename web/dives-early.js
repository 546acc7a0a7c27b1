// What the page of dives begins with beside the words that both pages share (early.js), asked for ahead of its modules:
// its own words, and a first screen of the library; or, where the address names a dive, the modules of the player.
{
  const { early, document: page, location: at } = window;
  early.words.push(fetch(`assets/dives-${page.documentElement.lang}.json`));
  early.list = at.hash.length > 1 ? null : fetch("api/dives?limit=24");
  early.list?.catch(() => {}); // said where it is used
  if (at.hash.length > 1) page.head.append(page.getElementById("player-modules").content.cloneNode(true));
}
