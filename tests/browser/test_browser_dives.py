"""The page of the dives in a real browser: recordings sent, worked through, played in step, corrected, taken home."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from chromium import BROWSER_TESTS, REPO
from clips import write_clip
from dives_page import offset_of, open_first, opened_page, seek, send, serving, wait_for_cards

pytestmark = BROWSER_TESTS

LABELS = ["Fish", "Octopus", "Turtle"]  # red, green, blue


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server and three recordings, whose colour changes every ten frames."""
    folder = tmp_path_factory.mktemp("dives")
    write_clip(folder / "reef.mp4", frames=180, rate=30, size_hw=(90, 160))
    # Its first picture comes late, its rate varies, and browsers cannot play it.
    stamps = [40 * k + (k % 3) * 7 for k in range(90)]
    write_clip(folder / "odd.mkv", frames=90, pts_ms=stamps, size_hw=(90, 160))
    # Browsers play this one, and their clock shows half a second at its first picture.
    write_clip(folder / "late.mp4", frames=60, pts_ms=[500 + 33 * k for k in range(60)], size_hw=(90, 160))
    with serving(folder) as (url, _):
        yield url, folder


@pytest.fixture(scope="module")
def dives(served, browser):
    """All sent by way of the page itself, with every picture to be looked at."""
    url, folder = served
    with opened_page(browser, url) as page:
        page.wait_for_function("() => document.querySelector('#no-cards').textContent.includes('No dives yet')")
        page.select_option("#every", "")
        send(page, folder / "reef.mp4", folder / "odd.mkv", folder / "late.mp4")
        wait_for_cards(page, 3)
    return url


def test_the_library_shows_what_came_in_and_finds_it_again(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        text = page.inner_text("#cards")
        assert "reef" in text
        assert "Fish" in text
        assert "0:06" in text
        page.wait_for_function(
            "() => [...document.querySelectorAll('.card img')].every(i => i.complete && i.naturalWidth > 0)"
        )
        page.fill("#search", "odd")
        page.wait_for_function("() => document.querySelectorAll('.card').length === 1")
        page.fill("#search", "no such dive")
        page.wait_for_function("() => !document.querySelector('#no-cards').hidden")


@pytest.mark.parametrize("name", ["reef", "odd", "late"])
def test_after_every_seek_the_overlay_is_that_of_the_picture(dives, browser, name):
    """The label that the toy model gives is the colour of the picture, which changes every ten frames."""
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", name)
        open_first(page)
        length = page.evaluate("document.querySelector('#video').duration") - offset_of(page)
        for share in (0.93, 0.05, 0.5, 0.501, 0.33, 0.77, 0.12, 0.999, 0.0, 0.61):
            seen = seek(page, round(share * (length - 0.05), 3))
            assert seen["label"] == LABELS[seen["brightest"]], seen
            assert seen["row"] == pytest.approx(seen["at"], abs=0.001)


def test_it_stays_in_step_at_every_speed(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        for speed in (0.5, 1, 4):
            page.select_option("#speed", str(speed))
            page.evaluate("document.querySelector('#video').currentTime = 0")
            # In the turn in which the browser shows a picture: the row must be that picture's own.
            worst = page.evaluate(
                """() => new Promise((resolve) => {
                  const video = document.querySelector("#video"), stage = document.querySelector("#stage");
                  let worst = 0, count = 0;
                  const each = (_, { mediaTime }) => {
                    queueMicrotask(() => {
                      worst = Math.max(worst, Math.abs(Number(stage.dataset.row) - mediaTime));
                      if (++count < 20) video.requestVideoFrameCallback(each);
                      else { video.pause(); resolve(worst); }
                    });
                  };
                  video.requestVideoFrameCallback(each);
                  video.addEventListener("ended", () => resolve(worst), { once: true });  // a slow machine shows fewer
                  video.play();
                })"""
            )
            assert worst < 1 / 30, speed


def test_keys_step_jump_and_switch(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        seek(page, 1.01)
        at = lambda: float(page.evaluate("document.querySelector('#stage').dataset.at"))  # noqa: E731
        for key, moved in (("ArrowRight", 1), ("ArrowRight", 1), (".", 1), (",", -1), ("ArrowLeft", -1)):
            before = at()
            page.keyboard.press(key)
            page.wait_for_function("b => Number(document.querySelector('#stage').dataset.at) !== b", arg=before)
            assert at() == pytest.approx(before + moved / 30, abs=0.002), key
        assert page.is_visible("#heat")
        page.keyboard.press("o")
        assert not page.is_visible("#heat")
        page.keyboard.press("o")
        before = page.input_value("#opacity")
        page.keyboard.press("]")
        assert int(page.input_value("#opacity")) > int(before)
        page.keyboard.press(" ")
        page.wait_for_function("() => !document.querySelector('#video').paused")
        page.keyboard.press("k")
        page.wait_for_function("() => document.querySelector('#video').paused")
        page.keyboard.press("?")
        assert page.locator("#dialog").is_visible()
        assert "one picture back" in page.inner_text("#keys")


def test_the_list_leads_to_a_sighting_and_takes_a_correction(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        row = page.locator(".sighting[data-place='1']")
        row.locator("[data-does=seek]").click()
        page.wait_for_function("() => document.querySelector('.sighting[aria-current]')?.dataset.place === '1'")
        label = row.locator(".name").inner_text()
        row.locator("[data-does=wrong]").click()
        page.fill("#naming-text", label)
        page.locator("#naming-yes").click()
        page.wait_for_function("() => document.querySelector('#naming-hint').textContent.includes('Press Right')")
        page.fill("#naming-text", "Blue Tang")
        page.keyboard.press("Enter")
        row.locator(".said").wait_for(state="visible")
        assert row.locator(".said").inner_text() == "it is Blue Tang"
        assert row.locator(".name").inner_text() == label  # the model's own answer stays
        page.select_option("#found-species", "Blue Tang")
        page.wait_for_function("() => document.querySelectorAll('.sighting:not([hidden])').length === 1")
        page.reload()
        page.locator(".said:visible").wait_for()
        page.locator(".said:visible + [data-does=undo]").click()
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")
        row.locator("[data-does=right]").click()
        row.locator("[data-does=other]").click()  # on second thoughts
        page.fill("#naming-text", "Eel")
        page.keyboard.press("Enter")
        row.locator(".said", has_text="it is Eel").wait_for()
        assert row.locator("[data-does=other]").is_hidden()
        page.locator("#line").focus()
        page.keyboard.press("Home")
        page.wait_for_function("() => document.querySelector('#line').getAttribute('aria-valuenow') === '0.0'")
        for _ in range(2):  # the eel, then that it was right
            row.locator("[data-does=undo]").click()
            row.locator(".said", has_text="it is Eel").wait_for(state="hidden")
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")
        page.locator(".sighting[data-place='0'] [data-does=nothing]").click()
        page.locator(".sighting[data-place='0'] .said").wait_for(state="visible")
        page.locator(".sighting[data-place='0'] [data-does=undo]").click()
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")


FOCUS = """() => {
  const row = document.activeElement.closest(".sighting");
  return [row ? row.dataset.place : null, document.activeElement.dataset.does ?? document.activeElement.id];
}"""


def test_keys_say_of_a_sighting_what_is_meant_and_nothing_of_the_next(dives, browser):
    """The focus stays on the sighting, and Tab goes down the list, whatever was said or filtered."""
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        page.locator(".sighting[data-place='1'] [data-does=right]").focus()
        page.keyboard.press("Enter")
        page.locator(".sighting[data-place='1'] .said").wait_for(state="visible")
        assert page.evaluate(FOCUS) == ["1", "undo"]
        assert page.locator(".said:visible").count() == 1
        page.keyboard.press("Enter")
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")
        assert page.evaluate(FOCUS) == ["1", "right"]
        page.select_option("#found-review", "open")
        page.locator(".sighting[data-place='0'] [data-does=right]").focus()
        page.keyboard.press("Enter")  # it leaves the list of what nobody has looked at
        page.wait_for_function("() => document.querySelector('#found-count').textContent.includes(' of ')")
        assert page.evaluate(FOCUS) == [None, "found"]  # the list itself, and no button
        page.select_option("#found-review", "")
        page.locator(".sighting[data-place='0'] .said").wait_for(state="visible")
        rows = page.locator(".sighting:not([hidden])")
        places = [int(row.get_attribute("data-place")) for row in rows.all()]
        assert places == list(range(len(places)))
        page.locator(".sighting[data-place='0'] [data-does=undo]").click()
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")


def test_what_is_said_on_another_page_is_seen_on_this_one(dives, browser):
    with opened_page(browser, dives) as page, opened_page(browser, dives) as other:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        other.goto(page.url)
        other.locator(".sighting[data-place='1'] [data-does=right]").click()
        other.locator(".sighting[data-place='1'] .said").wait_for(state="visible")
        page.locator(".sighting[data-place='1'] .said").wait_for(state="visible", timeout=60_000)
        page.locator(".sighting[data-place='1'] [data-does=undo]").click()
        page.wait_for_function("() => [...document.querySelectorAll('.said')].every(said => said.hidden)")


def test_an_animal_that_the_model_missed_is_told_found_and_taken_back(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        page.fill("#by", "Ada")
        page.evaluate("() => { document.querySelector('#video').currentTime = 1.5; }")
        page.wait_for_function("() => document.querySelector('#stage').dataset.at.startsWith('1.5')")
        page.evaluate("() => document.activeElement.blur()")
        page.keyboard.press("m")
        page.fill("#naming-text", "Blue Tang")
        page.keyboard.press("Enter")
        mine = page.locator(".sighting", has_text="Blue Tang")
        mine.wait_for(state="visible")
        assert mine.locator(".said").inner_text().startswith("seen by a person")
        page.reload()
        mine.wait_for(state="visible")
        mine.locator("[data-does=undo]").click()
        mine.wait_for(state="hidden")
        page.reload()
        page.locator(".sighting").first.wait_for(state="visible")
        assert mine.count() == 0


def test_the_sightings_are_filtered_by_probability(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        page.locator("#least").press("End")
        page.wait_for_function("() => !document.querySelector('#no-found').hidden")
        assert "No sighting is like that" in page.inner_text("#no-found")


def test_every_result_can_be_downloaded(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        page.locator("#files summary").click()
        names = page.locator("#file-list a").all_inner_texts()
        assert {"frames.csv", "sightings.csv", "dive.vtt", "The original video"} <= set(names)
        with page.expect_download() as coming:
            page.get_by_role("link", name="sightings.csv").click()
        assert coming.value.suggested_filename == "reef - sightings.csv"
        assert Path(coming.value.path()).read_text().startswith("id,label,")
        with page.expect_download() as coming:
            page.get_by_role("link", name="All results in one zip").click()
        assert coming.value.suggested_filename == "reef.zip"
        with zipfile.ZipFile(coming.value.path()) as archive:
            assert set(names) - {"All results in one zip", "The original video"} <= {
                name.removeprefix("reef/") for name in archive.namelist()
            }


def test_the_overlay_video_is_made_on_request_and_then_stands_among_the_downloads(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "late")
        open_first(page)
        page.locator("#files summary").click()
        page.get_by_role("button", name="Make the overlay video").click()
        page.locator(".drawing", has_text="overlay video").wait_for()
        page.get_by_role("link", name="overlay.mp4").wait_for(timeout=60_000)
        assert page.locator(".drawing").count() == 0
        assert page.locator(".sighting").first.is_visible()  # nothing else went away meanwhile


def test_a_note_stands_with_what_was_said_and_the_legend_filters_the_list(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        row = page.locator(".sighting[data-place='0']")
        assert not row.locator("[data-does=note]").is_visible()
        row.locator("[data-does=right]").click()
        row.locator("[data-does=note]").click()
        assert not page.locator("#naming-text").is_visible()
        page.fill("#naming-note", "two of them")
        page.locator("#naming-yes").click()
        page.wait_for_function("() => document.querySelector('.said').textContent.includes('two of them')")
        page.reload()
        row.locator(".said", has_text="two of them").wait_for()
        for _ in range(2):  # the note, then the word
            row.locator("[data-does=undo]").click()
            row.locator(".said", has_text="two of them").wait_for(state="hidden")
        row.locator("[data-does=right]").wait_for(state="visible")
        pressed = page.locator("#hues button", has_text="Octopus")
        pressed.click()
        assert pressed.get_attribute("aria-pressed") == "true"
        assert set(page.locator(".sighting:visible .name").all_inner_texts()) == {"Octopus"}
        pressed.click()
        assert page.input_value("#found-species") == ""


def test_files_dropped_together_become_one_dive_with_a_log_and_a_start(dives, browser, tmp_path):
    for name in ("GX020077.MP4", "GX010077.MP4"):
        write_clip(tmp_path / name, frames=30, size_hw=(90, 160))
    (tmp_path / "log.csv").write_text(
        "time,depth_m\n2026-05-01T09:59:00Z,7\n2026-05-01T10:00:00Z,7\n2026-05-01T10:01:00Z,7\n"
    )
    with opened_page(browser, dives, timezone_id="Europe/Istanbul") as page:
        wait_for_cards(page, 3)
        names = ("GX020077.MP4", "GX010077.MP4", "log.csv")
        page.set_input_files("#file", [str(tmp_path / name) for name in names])
        page.locator("#joining").wait_for()
        assert page.is_checked("#joining-one")  # as a GoPro names its chapters
        assert page.inner_text("#joining-log-name") == "log.csv"
        page.fill("#joining-start", "2026-05-01T13:00:00")
        page.locator("#joining button[type=submit]").click()
        wait_for_cards(page, 4)
        page.fill("#search", "GX010077")
        open_first(page)
        assert page.inner_text("#length") == " / 0:02"
        dive = page.evaluate("async () => (await fetch(`api/dives/${location.hash.slice(1)}`)).json()")
        assert (dive["recorded_utc"], dive["reason"]) == ("2026-05-01T10:00:00.000Z", "")
        page.locator("#files summary").click()
        assert {"GX010077.mp4", "GX020077.mp4"} <= set(page.locator("#file-list a").all_inner_texts())
        table = page.evaluate(
            "async () => (await fetch(`api/dives/${location.hash.slice(1)}/files/sightings.csv`)).text()"
        )
        assert ",7.00," in table
        page.request.delete(f"{dives}api/dives/{dive['id']}", headers={"origin": dives.rstrip("/")})


def test_a_click_on_the_timeline_goes_there(dives, browser):
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        box = page.locator("#line").bounding_box()
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 10)
        page.wait_for_function("() => Math.abs(Number(document.querySelector('#stage').dataset.at) - 3) < 0.1")
        assert page.locator("#tip").is_visible()


def test_a_dive_is_renamed_and_deleted_after_a_question(dives, browser, tmp_path):
    clip = write_clip(tmp_path / "short.mp4", frames=10)
    with opened_page(browser, dives) as page:
        wait_for_cards(page, 3)
        send(page, clip)
        wait_for_cards(page, 4)
        card = page.locator(".card", has_text="short")
        card.locator("[data-does=rename]").click()
        page.fill("#naming-text", "<b>Short</b>")
        page.keyboard.press("Enter")
        card = page.locator(".card", has_text="<b>Short</b>")
        card.wait_for()
        card.locator("[data-does=delete]").click()
        page.locator("#sure-no").wait_for()
        assert "for good" in page.inner_text("#sure-text")
        page.locator("#sure-no").click()
        assert page.locator(".card").count() == 4
        card.locator("[data-does=delete]").click()
        page.locator("#sure-yes").click()
        page.wait_for_function("() => document.querySelectorAll('.card').length === 3")


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
@pytest.mark.parametrize("place", ["library", "player"])
def test_nothing_is_cut_off_at_any_width(dives, browser, width, height, place):
    with opened_page(browser, dives) as page:
        page.set_viewport_size({"width": width, "height": height})
        wait_for_cards(page, 3)
        if place == "player":
            open_first(page)
            assert page.locator("#video").bounding_box()["width"] > 0.5 * min(width, 1200)
            assert page.locator(".sighting").first.is_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_speaks_turkish_and_another_language_without_losing_its_place(dives, browser):
    asked: list[str] = []
    with opened_page(browser, dives, locale="tr-TR") as page:
        page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
        page.reload()
        wait_for_cards(page, 3)
        assert {"tr.json", "dives-tr.json"} <= set(asked)
        assert not {"en.json", "dives-en.json"} & set(asked)
        assert page.evaluate("document.documentElement.lang") == "tr"
        assert "Balık" in page.inner_text("#cards")
        page.fill("#search", "balik reef")
        open_first(page)
        seek(page, 2.0)
        assert page.inner_text("#found-title").startswith("Gözlemler")
        assert "%" in page.locator(".sighting .when").first.inner_text()
        page.locator(".sighting[data-place='0'] [data-does=wrong]").click()
        page.fill("#naming-text", "balık")  # what the model said, by its Turkish name
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('#naming-hint').textContent.includes('Doğru')")
        page.locator("#naming-no").click()
        page.select_option("#language", "en")
        page.wait_for_function("() => document.documentElement.lang === 'en'")
        assert page.inner_text("#found-title").startswith("Sightings")
        assert page.inner_text(".sighting[data-place='0'] [data-does=right]") == "Right"
        assert float(page.evaluate("document.querySelector('#stage').dataset.at")) == pytest.approx(2.0, abs=0.05)
        page.reload()  # remembered
        page.wait_for_function("() => document.querySelector('#answer').textContent.match(/Fish|Octopus|Turtle/)")


def test_every_visible_word_comes_from_the_catalogues(dives, browser):
    """With catalogues that mark each of their texts, what stands unmarked on the page is data, or a bypass."""

    def mark(entry: object) -> object:
        return {form: mark(text) for form, text in entry.items()} if isinstance(entry, dict) else f"⟦{entry}⟧"

    def marked(route) -> None:
        texts = json.loads((REPO / "web" / route.request.url.rpartition("/")[2]).read_text(encoding="utf-8"))
        route.fulfill(json={key: mark(entry) for key, entry in texts.items()})

    with opened_page(browser, dives) as page:
        page.route("**/assets/**/*.json", marked)
        page.reload()
        wait_for_cards(page, 3)
        page.fill("#search", "reef")
        open_first(page)
        page.keyboard.press("?")
        said = page.evaluate(
            """() => {
              const said = [];
              for (const element of document.body.querySelectorAll('*')) {
                if (element.closest('noscript, svg, #file-list')) continue;
                for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) said.push(node.data);
                for (const name of ['aria-label', 'title', 'alt', 'placeholder']) {
                  said.push(element.getAttribute(name) ?? '');
                }
              }
              return said;
            }"""
        )
        assert sum("⟦" in text for text in said) > 60
        plain = {text.strip() for text in said if "⟦" not in text and re.search(r"[^\W\d_]{2}", text)}
        dates = re.compile(r"\d+ \w+ \d{4}.*|\w+ \d+, \d{4}.*")
        data = {"Reeflens", "reef", "English", "Türkçe"}
        names = re.compile(r"(Fish|Octopus|Turtle)(\W.*)?")
        assert {text for text in plain - data if not dates.fullmatch(text) and not names.fullmatch(text)} == set()


def test_the_two_pages_lead_to_each_other_where_there_is_something_to_see(dives, served, browser, tmp_path):
    with opened_page(browser, dives, "") as page:
        page.locator("#dives").click()
        wait_for_cards(page, 3)
        assert page.locator("#to-live").is_hidden()  # nothing is live here
    with (
        serving(served[1], library=tmp_path / "another", source="scene=scene") as (url, _),
        opened_page(browser, url) as page,
    ):
        page.locator("#to-live").click()
        page.locator("#stage[data-picture=yes]").wait_for()
        page.locator("#dives").wait_for(state="visible")


def test_a_dive_that_is_gone_says_so(dives, browser):
    with opened_page(browser, dives, "dives#0123456789abcdef", may_complain=True) as page:
        page.wait_for_function("() => document.querySelector('#notice-text').textContent.includes('no such dive')")
