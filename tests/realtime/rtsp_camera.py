"""A camera that speaks RTSP, for tests: runs under the system's Python, which has GStreamer's bindings.

Prints `port N` when it listens; its stream is at /reef. Everything about it is an option, so that a test can restart it
as another camera.
"""

from __future__ import annotations

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtspServer  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--port", default="0")
parser.add_argument("--size", default="160x120")
parser.add_argument("--pattern", default="red")
parser.add_argument("--frames", type=int, default=-1)
parser.add_argument("--user")
parser.add_argument("--password")
parser.add_argument("--certificate", help="a PEM file with key and certificate: speaks rtsps")
parser.add_argument("--check", action="store_true", help="only say by the exit code whether all parts are installed")
options = parser.parse_args()

Gst.init(None)
if options.check:
    parts = ("videotestsrc", "x264enc", "rtph264pay", "rtpbin")
    raise SystemExit(
        not all(Gst.ElementFactory.find(part) for part in parts) or not Gio.TlsBackend.get_default().supports_tls()
    )
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(options.port)

width, height = options.size.split("x")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( videotestsrc is-live=true pattern={options.pattern} num-buffers={options.frames} "
    f"! video/x-raw,width={width},height={height},framerate=25/1 "
    "! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=25 threads=1 ! rtph264pay name=pay0 pt=96 )"
)
if options.user or options.certificate:
    role = GstRtspServer.RTSPToken()
    role.set_string("media.factory.role", "viewer")
    auth = GstRtspServer.RTSPAuth()
    if options.user:
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(options.user, options.password), role)
    else:
        auth.set_default_token(role)
    if options.certificate:
        auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(options.certificate))
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", "media.factory.access", True)
    permissions.add_permission_for_role("viewer", "media.factory.construct", True)
    factory.set_permissions(permissions)
server.get_mount_points().add_factory("/reef", factory)
server.attach(None)
print(f"port {server.get_bound_port()}", flush=True)
GLib.MainLoop().run()
