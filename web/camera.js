// The browser's cameras: asked for, listed, and why there is none. Everything it touches is handed in.

/**
 * A stream of one camera.
 *
 * @param {MediaDevices} devices
 * @param {string} deviceId the camera to take, "" for any: on a phone preferably the one that looks away from its owner
 * @returns {Promise<MediaStream>}
 * @throws {DOMException} see cameraTrouble
 */
export async function askForCamera(devices, deviceId) {
  const size = { width: { ideal: 1280 }, height: { ideal: 720 } };
  const anyOne = { video: { ...size, facingMode: { ideal: "environment" } }, audio: false };
  if (deviceId === "") return devices.getUserMedia(anyOne);
  try {
    return await devices.getUserMedia({ video: { ...size, deviceId: { exact: deviceId } }, audio: false });
  } catch (error) {
    // One that was remembered and is not there any more: browsers also change the ids when their data is cleared.
    if (error.name !== "OverconstrainedError" && error.name !== "NotFoundError") throw error;
    return devices.getUserMedia(anyOne);
  }
}

/** The cameras as [{id, name}]; a name is "" until their use has been permitted. */
export async function listCameras(devices) {
  const found = (await devices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  return found.map(({ deviceId, label }) => ({ id: deviceId, name: label }));
}

export const NO_CAMERA = Object.freeze({ key: "camera.none" });
export const UNPLUGGED = Object.freeze({ key: "camera.unplugged" });

/** Why a page that finds no `navigator.mediaDevices` has none; a reason, as text.js puts them into words. */
export const noDevices = (secure) => ({ key: secure ? "camera.unsupported" : "camera.insecure" });

/** What a failed askForCamera means, and what to do; a reason. */
export function cameraTrouble(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
      return { key: /system/i.test(error.message) ? "camera.system" : "camera.denied" };
    case "SecurityError":
      return { key: "camera.forbidden" };
    case "NotFoundError":
    case "DevicesNotFoundError":
      return NO_CAMERA;
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return { key: "camera.busy" };
    default:
      return { key: "camera.other", why: error.message || error.name };
  }
}
