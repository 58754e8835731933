from importlib.resources import files

import pytest

from polyclinic.fhirserver.name_frequency import frequencies, frequency, normalised, salts


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("O'Néill", "oneill"),
        ("Smith-Jones", "smith jones"),
        ("  De   la Cruz ", "de la cruz"),
        ("GROẞ", "gross"),
        ("Ångström 3rd", "angstrom rd"),
        ("Иванов", "иванов"),
        ("", ""),
    ],
)
def test_a_name_is_read_the_same_however_it_is_written(written, read):
    assert normalised(written) == read
    assert normalised(read) == read


def test_the_commonest_surname_has_one_salt_for_each_ten_thousandth_of_the_people():
    assert frequency("family", "smith") == pytest.approx(0.01006)
    assert salts("family", "smith", 1e-4) == 101
    assert salts("family", "smith", 1e-3) == 11


def test_a_frequency_of_exactly_tau_needs_one_salt():
    common = next(t for t, steps in frequencies("family").items() if steps == 20)
    assert frequency("family", common) == pytest.approx(1e-4)
    assert salts("family", common, 1e-4) == 1


def test_an_unknown_name_has_one_salt():
    assert salts("family", "zzyzx", 1e-4) == 1
    assert salts("given5", "zzyzx", 1e-4) == 1


def test_a_prefix_is_at_least_as_common_as_each_name_that_begins_so():
    for name in ("smith", "johnson", "williams"):
        for length in (3, 4, 5):
            assert frequency(f"family{length}", name[:length]) >= frequency("family", name)


def test_a_name_of_either_kind_is_as_common_as_both_together():
    both = frequency("family", "james") + frequency("given", "james")
    assert frequency("name", "james") == pytest.approx(both)
    assert frequency("name3", "jam") == pytest.approx(
        frequency("family3", "jam") + frequency("given3", "jam")
    )


def test_a_name_of_several_words_is_as_common_as_the_census_says_in_one():
    assert frequency("family", "o connor") == frequency("family", "oconnor") > 1e-4
    assert frequency("family", "de la cruz") == frequency("family", "delacruz") > 1e-4


def test_a_beginning_with_a_space_is_never_taken_for_rarer_than_it_is():
    irish = sum(steps for t, steps in frequencies("family3").items() if t.startswith("oc"))
    assert frequency("family3", "o c") == pytest.approx(irish * 0.5e-5)
    assert frequency("family3", "o c") > frequency("family", "oconnor")
    assert salts("family3", "o c", 1e-4) > 1


def test_a_kind_that_is_not_smoothed_is_refused():
    with pytest.raises(ValueError, match="not a kind"):
        salts("city", "boston", 1e-4)


def test_the_table_stays_small():
    table = files("polyclinic.fhirserver").joinpath("data/name_frequencies.tsv.zst")
    assert len(table.read_bytes()) <= 150_000
