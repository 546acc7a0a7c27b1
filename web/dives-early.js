// What the page of dives needs beside what early.js asks for: asked for while its modules are on the way.
window.early.dives = fetch(`assets/dives-${document.documentElement.lang}.json`);
window.early.library = /^#[0-9a-f]{16}$/.test(location.hash) ? null : fetch("api/dives");
window.early.library?.catch(() => {}); // said where it is used
