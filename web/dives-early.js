// Asks for the library while the page is still loading. A classic script on purpose: a module would wait for the others.
globalThis.libraryAsked = /^#[0-9a-f]{16}$/.test(location.hash) ? null : fetch("api/dives");
