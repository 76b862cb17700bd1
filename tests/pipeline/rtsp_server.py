#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A camera: serves a video over RTSP.

    rtsp_server.py PORT VIDEO     VIDEO: Motion JPEG in AVI

rtsp://127.0.0.1:PORT/camera. PORT 0 takes a free one; prints the port once it listens.
"""
import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer


def main():
    Gst.init(None)
    port, video = sys.argv[1:]
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(True)
    factory.set_launch(f'( filesrc location="{video}" ! avidemux ! rtpjpegpay name=pay0 pt=26 )')
    server.get_mount_points().add_factory("/camera", factory)
    if server.attach(None) == 0:
        sys.exit(f"rtsp_server: can't listen to port {port}")
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


if __name__ == "__main__":
    main()
