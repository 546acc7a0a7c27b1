from __future__ import annotations

from raw_rows import shown, write

from dives.writers.sightings_csv import SightingsCsv
from dives.writers.stills import Stills


def test_one_line_per_sighting_in_order_of_time(dive):
    to = dive(100)
    rows = [shown(k, k * 0.1, 0 if k < 50 else 2, utc=True) for k in range(100)]
    stills = Stills(skip=True)
    write(rows, to, stills, SightingsCsv(stills))
    head, first, second = (to.folder / "sightings.csv").read_text().splitlines()
    assert head == (
        "id,label,start_s,end_s,start_utc,end_utc,peak_s,peak_file,peak_frame,peak_probability,mean_probability,frames,"
        "depth_m,min_depth_m,max_depth_m,temperature_c,still"
    )
    assert first == (
        "1,Fish,0.000000,4.900000,2026-05-01T09:30:00.000Z,2026-05-01T09:30:04.900Z,"
        "0.000000,dive.mp4,0,0.900000,0.900000,50,,,,,"
    )
    assert second.startswith("2,Turtle,5.000000,9.900000,")
    assert second.endswith(",5.000000,dive.mp4,50,0.900000,0.900000,50,,,,,")


def test_a_dive_without_animals_has_a_table_without_lines(dive):
    to = dive(1)
    stills = Stills()
    write([shown(0, 0.0, None)], to, stills, SightingsCsv(stills))
    assert (to.folder / "sightings.csv").read_text().count("\n") == 1
