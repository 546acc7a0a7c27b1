// Asking a browser for a camera, and its refusals in words.

import assert from "node:assert/strict";
import { test } from "node:test";

import "./english.mjs";
import { phrase } from "../../web/text.js";
import { askForCamera, cameraTrouble, listCameras, noDevices } from "../../web/camera.js";

const failure = (name, message = "") => Object.assign(new Error(message), { name });

/** Devices that fail with the given errors, one after the other, and then give a stream. */
function devicesWith(...errors) {
  const asked = [];
  const getUserMedia = async (constraints) => {
    asked.push(constraints.video);
    assert.equal(constraints.audio, false);
    if (errors.length > 0) throw errors.shift();
    return "a stream";
  };
  return { asked, getUserMedia };
}

test("without a choice the camera that looks away from its owner is preferred, not demanded", async () => {
  const devices = devicesWith();
  assert.equal(await askForCamera(devices, ""), "a stream");
  assert.deepEqual(devices.asked[0].facingMode, { ideal: "environment" });
});

test("a chosen one is taken and no other", async () => {
  const devices = devicesWith();
  await askForCamera(devices, "usb");
  assert.deepEqual([devices.asked.length, devices.asked[0].deviceId], [1, { exact: "usb" }]);
});

for (const name of ["OverconstrainedError", "NotFoundError"]) {
  test(`a remembered one that is gone (${name}) gives way to any other`, async () => {
    const devices = devicesWith(failure(name));
    assert.equal(await askForCamera(devices, "gone"), "a stream");
    assert.equal(devices.asked[1].deviceId, undefined);
  });
}

test("a refusal is not asked around", async () => {
  const devices = devicesWith(failure("NotAllowedError"));
  await assert.rejects(askForCamera(devices, "usb"), { name: "NotAllowedError" });
  assert.equal(devices.asked.length, 1);
});

test("cameras are listed by name as far as that is known, microphones are none", async () => {
  const list = [
    { kind: "audioinput", deviceId: "m", label: "Mic" },
    { kind: "videoinput", deviceId: "a", label: "" },
    { kind: "videoinput", deviceId: "b", label: "Endoscope" },
  ];
  const found = await listCameras({ enumerateDevices: async () => list });
  assert.deepEqual(found, [{ id: "a", name: "" }, { id: "b", name: "Endoscope" }]);
});

for (const [name, message, said] of [
  ["NotAllowedError", "Permission denied", /was not allowed.*settings/],
  ["NotAllowedError", "Permission denied by system", /operating system/],
  ["SecurityError", "", /does not let this page/],
  ["NotFoundError", "", /none is connected/],
  ["NotReadableError", "", /another program/],
  ["AbortError", "", /another program/],
  ["TypeError", "strange", /the browser says: strange/],
  ["SneezeError", "", /the browser says: SneezeError/],
]) {
  test(`${name} (${message || "no message"}) is said in words`, () => {
    assert.match(phrase(cameraTrouble(failure(name, message))), said);
  });
}

test("a page without devices is told why", () => {
  assert.match(phrase(noDevices(false)), /https or on localhost/);
  assert.match(phrase(noDevices(true)), /this browser has no camera/);
});
