"""Naming a camera, and keeping its password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.addresses import check_camera, is_camera, redact, usb_device
from realtime.errors import SettingsError

SECRET = "hUnt3r-Zw0"
SIGNS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)
KEYS = st.sampled_from(["token", "password", "key", "sig", "user", "X-Amz-Signature", "pwd", "whatever"])
SCHEMES = st.sampled_from(["rtsp", "rtsps", "http", "https", "RTSP", "srt"])


@given(SCHEMES, SIGNS, SIGNS, SIGNS)
def test_no_password_survives_whatever_signs_it_holds(scheme, user, before, after):
    shown = redact(f"{scheme}://{user}:{before}{SECRET}{after}@reef.local:8554/cam")
    assert SECRET not in shown
    assert shown.endswith("@reef.local:8554/cam")


@given(SCHEMES, KEYS, SIGNS, st.sampled_from(["?", "?channel=1&", "#", ";", "x="]))
def test_no_value_of_a_query_survives(scheme, key, tail, before):
    shown = redact(f"{scheme}://reef.local/cam{before}{key}={SECRET}{tail}")
    assert SECRET not in shown


@given(st.text())
def test_redacting_twice_changes_nothing_more_and_text_without_an_address_stays(text):
    assert redact(redact(text)) == redact(text)
    if "://" not in text:
        assert redact(text) == text


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://10.0.0.5/stream1", "rtsp://10.0.0.5/stream1"),
        ("rtsp://admin:pw@10.0.0.5:554/h264/ch1", "rtsp://***@10.0.0.5:554/h264/ch1"),
        ("rtsp://admin:p@ss/w#rd?@10.0.0.5/cam", "rtsp://***@10.0.0.5/cam"),
        ("https://host/live.m3u8?token=abc#x", "https://host/live.m3u8***"),
        ("rtsp://10.0.0.5/user=admin_password=abc_channel=1.sdp", "rtsp://10.0.0.5/***"),
        ("rtsp://[::1]:8554/reef", "rtsp://[::1]:8554/reef"),
        ("reef=rtsp://u:p@host", "reef=rtsp://***@host"),
        ("dives/reef.mp4", "dives/reef.mp4"),
    ],
)
def test_what_is_left_still_says_which_camera(address, shown):
    assert redact(address) == shown


@pytest.mark.parametrize(
    ("place", "camera", "device"),
    [
        ("rtsp://host/a", True, None),
        ("HTTPS://host/a", True, None),
        ("usb:0", True, 0),
        ("/dev/video2", True, "/dev/video2"),
        ("usb:", False, None),
        ("/dev/video", False, None),
        ("usb:0.mp4", False, None),
        ("dives/reef.mp4", False, None),
        ("scene", False, None),
    ],
)
def test_a_camera_is_told_from_a_file(place, camera, device):
    assert (is_camera(place), usb_device(place)) == (camera, device)


@pytest.mark.parametrize(
    "place", ["rtsp://host/a", "rtsps://u:p%40@[::1]:99/a?b=c", "http://host:81/", "usb:3", "/dev/video0"]
)
def test_a_usable_place_is_taken(place):
    check_camera("pier", place)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (f"file:///etc/{SECRET}", "file:// is none of rtsp, rtsps, http, https"),
        (f"concat://{SECRET}", "concat:// is none of"),
        (f"rtsp://admin:{SECRET}@/cam", "expected rtsp://USER"),
        (f"rtsp://admin:{SECRET}#x@host/cam", "%23 for #"),
        (f"rtsp://admin:{SECRET}@host:port/cam", "expected rtsp://USER"),
        (f"http://admin:{SECRET}@host:0/cam", "expected http://USER"),
        (f"rtsp://admin:{SECRET} x@host/cam", "expected rtsp://USER"),
        (f"rtsp://[{SECRET}/cam", "expected rtsp://USER"),
    ],
)
def test_what_cannot_be_a_camera_is_refused_without_repeating_it(place, said):
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")) as caught:
        check_camera("pier", place)
    assert str(caught.value).startswith("source pier: ")
    assert SECRET not in str(caught.value)
