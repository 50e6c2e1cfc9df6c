"""A user's time series: times in any common form, and several series in one table."""

import numpy as np
import pandas as pd
import pytest
import torch

import zoo
from zoo.core.errors import UserError
from zoo.data.readers import read_labelled, read_raw
from zoo.data.sequences.files.next_times import next_times, write_times, written_form
from zoo.data.splits import each_value_once
from zoo.inference.predict_files import predict_file
from zoo.inference.predictor import Predictor

N = 120
VALUES = np.sin(np.arange(N) / 4).round(3)
HOURS = pd.date_range("2024-02-01", periods=N, freq="h")
MONTHS = pd.date_range("2000-01-01", periods=N, freq="MS")
QUARTERS = pd.date_range("1990-01-01", periods=N, freq="QS")
WEEKS = pd.date_range("2020-01-06", periods=N, freq="7D")


def load(folder, frame, **options):
    frame.to_csv(folder / "own.csv", index=False)
    return zoo.load_data("series", path=str(folder / "own.csv"), look_back=6, horizon=3, **options)


def table(**times):
    return pd.DataFrame({**times, "power": VALUES})


def since_1970(unit):
    return HOURS.astype(f"datetime64[{unit}]").astype("int64")


FORMS = {
    "seconds since 1970": table(stamp=since_1970("s")),
    "milliseconds since 1970": table(zeit=since_1970("ms")),
    "microseconds since 1970": table(ts=since_1970("us")),
    "nanoseconds since 1970": table(x=since_1970("ns")),
    "ISO with a zone": table(when=HOURS.strftime("%Y-%m-%dT%H:%M:%SZ")),
    "dd.mm.yyyy": table(Datum=HOURS.strftime("%d.%m.%Y %H:%M")),
    "a date and a clock": table(Date=HOURS.strftime("%d/%m/%Y"), Time=HOURS.strftime("%H:%M:%S")),
    "a date and a clock of twelve hours": table(day=HOURS.strftime("%m/%d/%Y"), clock=HOURS.strftime("%I:%M %p")),
    "a date and an hour": table(Date=HOURS.strftime("%Y-%m-%d"), Hour=HOURS.hour + 1),
    "year, month, day and hour": table(
        No=np.arange(N), year=HOURS.year, month=HOURS.month, day=HOURS.day, hour=HOURS.hour
    ),
    "2020-03": table(month=MONTHS.strftime("%Y-%m")),
    "Jan 2020": table(month=MONTHS.strftime("%b %Y")),
    "03/2020": table(month=MONTHS.strftime("%m/%Y")),
    "202003": table(period=MONTHS.strftime("%Y%m")),
    "20200301": table(day=WEEKS.strftime("%Y%m%d")),
    "2020Q1": table(quarter=[f"{one.year}Q{one.quarter}" for one in QUARTERS]),
    "Q1 2020": table(quarter=[f"Q{one.quarter} {one.year}" for one in QUARTERS]),
    "2020-W05": table(week=WEEKS.strftime("%G-W%V")),
    "a year and a quarter": table(year=QUARTERS.year, quarter=QUARTERS.quarter),
    "a year and a quarter such as Q1": table(Year=QUARTERS.year, Quarter=[f"Q{k}" for k in QUARTERS.quarter]),
    "a year and a week": table(year=WEEKS.isocalendar().year.to_numpy(), week=WEEKS.isocalendar().week.to_numpy()),
    "a year and a month's name": table(Year=MONTHS.year, Month=MONTHS.strftime("%b")),
    "years": table(year=np.arange(1900, 1900 + N)),
    "clocks of a day": table(clock=pd.date_range("2024-01-01", periods=N, freq="10min").strftime("%H:%M")),
    "steps": table(step=np.arange(N)),
    "seconds of a measurement": table(t=(np.arange(N) * 0.1).round(1)),
    "a heading with its unit": table(**{"Time (s)": (np.arange(N) * 0.02).round(2)}),
    "milliseconds of a logger": table(elapsed_ms=1000 + 250 * np.arange(N)),
}


@pytest.mark.parametrize("form", FORMS)
def test_times_in_any_form_order_the_rows_and_are_no_channel(tmp_path, capsys, form):
    newest_first = load(tmp_path, FORMS[form][::-1])
    out = capsys.readouterr().out
    assert newest_first.spec.column_names == ["power"]
    assert torch.equal(newest_first.train.series[:, 0], torch.tensor(VALUES[: round(0.7 * N)], dtype=torch.float32))
    assert "the latest rows come first, and are reversed" in out
    assert "steps" not in out  # which are regular
    assert torch.equal(newest_first.train.series, load(tmp_path, FORMS[form]).train.series)


@pytest.mark.parametrize("form", FORMS)
def test_time_columns_can_be_named(tmp_path, form):
    names = list(FORMS[form].columns[:-1])
    names = names[1:] if form.startswith("year,") else names
    splits = load(tmp_path, FORMS[form][["power", *names]], time=names)
    assert splits.spec.column_names == ["power"]
    assert splits.spec.reading["date_column"] == (names[0] if len(names) == 1 else names)


@pytest.mark.parametrize(
    ("frame", "channels"),
    [
        (table(date=HOURS, stamp=since_1970("s")), ["power"]),
        (table(date=HOURS, heat=np.arange(N) % 7), ["heat", "power"]),
        (table(date=HOURS, meter=1e9 + np.arange(N) % 5), ["meter", "power"]),
        (table(clock=HOURS.strftime("%H:%M")), ["power"]),
        (table(t=np.arange(N) % 9 + 1800), ["t", "power"]),  # a temperature
        (table(date=HOURS, idx=np.arange(N)), ["power"]),
        (table(**{"": np.arange(N) + 1}), ["power"]),  # row names of R
        (pd.DataFrame({"time": np.arange(N)}), ["time"]),
        (pd.DataFrame({"meter": 1_500_000_000 + 3 * np.arange(N)}), ["meter"]),
    ],
)
def test_numbers_that_are_not_times_stay_channels(tmp_path, frame, channels):
    assert load(tmp_path, frame).spec.column_names == channels


@pytest.mark.parametrize("step", [0.1, 0.02, 1 / 3])
def test_missing_fractional_steps_are_filled_in(tmp_path, capsys, step):
    frame = table(t=(np.arange(N) * step).round(9)).drop([50, 51, 60])
    splits = load(tmp_path, frame)
    assert f"steps are of {step:g}; 3 are missing in 2 gaps" in capsys.readouterr().out
    expected = np.where(np.isin(np.arange(84), [50, 51, 60]), np.nan, VALUES[:84]).astype(np.float32)
    np.testing.assert_array_equal(splits.train.series[:, 0], expected)


def test_a_requested_column_is_a_channel(tmp_path):
    assert load(tmp_path, FORMS["seconds since 1970"], columns=["stamp", "power"]).spec.column_names[0] == "stamp"


@pytest.mark.parametrize("form", ["%d/%m/%Y", "%m/%d/%Y"])
def test_ambiguous_dates_take_the_form_whose_rows_are_closest(tmp_path, capsys, form):
    hours = pd.date_range("2024-02-01", periods=N, freq="h")
    splits = load(tmp_path, table(Date=hours.strftime(form), Time=hours.strftime("%H:%M")))
    assert splits.spec.reading["date_form"] == form
    assert f"dates of 'Date' are read as {form}" in capsys.readouterr().out


def predictor(splits):
    torch.manual_seed(0)
    model = zoo.create_model("rnn/lstm", splits.spec, width=4)
    model.preprocess.fit(each_value_once(splits.train))
    return Predictor(model, splits.spec, {})


def test_a_later_file_is_read_like_the_training_file(tmp_path):
    long = pd.date_range("2024-02-01", periods=500, freq="h")  # until the 21st: read as day, month, year
    frame = pd.DataFrame({"Date": long.strftime("%d/%m/%Y"), "Time": long.strftime("%H:%M"), "power": np.arange(500.0)})
    model = predictor(load(tmp_path, frame))
    expected = model.predict(frame[["power"]].to_numpy()[42:48])
    frame[:48][::-1].to_csv(tmp_path / "new.csv", index=False)  # the 1st and the 2nd of February
    assert model.predict(tmp_path / "new.csv") == expected
    frame[["power"]][:48].to_csv(tmp_path / "bare.csv", index=False)
    assert model.predict(tmp_path / "bare.csv") == expected


def panel(ids="AB", **options):
    parts = [pd.DataFrame({"unique_id": one, "ds": HOURS, "y": VALUES + 10 * k}) for k, one in enumerate(ids)]
    return pd.concat(parts, ignore_index=True)


def test_several_series_in_a_table_are_told_apart_by_their_ids(tmp_path, capsys):
    splits = load(tmp_path, panel())
    assert "holds 2 series by 'unique_id', as its times repeat; data.only=[A] forecasts one of them" in (
        capsys.readouterr().out
    )
    named = load(tmp_path, panel(), series_id="unique_id")
    assert splits.spec == named.spec
    assert torch.equal(splits.train.series, named.train.series)


@pytest.mark.parametrize(
    ("frame", "option"),
    [
        (panel().rename(columns={"unique_id": "meter"}), "meter"),
        (panel().assign(unique_id=lambda frame: frame.unique_id.map({"A": 7, "B": 9})), "unique_id"),
        (panel().assign(ds=[*range(N), *range(N)]).rename(columns={"ds": "step"}), "unique_id"),
        (panel("ABCD").assign(unique_id=["x"] * 2 * N + ["z"] * 2 * N, kind=(["a"] * N + ["b"] * N) * 2), "kind"),
    ],
)
def test_id_columns_of_any_kind_are_found(tmp_path, frame, option):
    splits = load(tmp_path, frame)
    assert option in splits.spec.reading["series_id"]
    assert splits.spec.column_names == ["y"]


def test_numbered_parts_of_a_day_can_be_a_clock(tmp_path, capsys):
    halves = pd.date_range("2024-02-01", periods=4 * N, freq="30min")
    half = halves.hour * 2 + halves.minute // 30 + 1
    frame = pd.DataFrame({"day": halves.strftime("%Y-%m-%d"), "settlement": half, "power": np.tile(VALUES, 4)})
    with pytest.raises(UserError, match=r"if 'settlement' counts the hours of a day: data.time=\[day,settlement\]"):
        load(tmp_path, frame)
    with pytest.raises(UserError, match=r"or name the clock beside the date: data.time=\[day,...\]"):
        load(tmp_path, frame[:60])
    assert load(tmp_path, frame, time=["day", "settlement"]).spec.column_names == ["power"]
    assert "steps" not in capsys.readouterr().out  # which are regular


def test_a_window_lies_within_one_series_and_split(tmp_path):
    splits = load(tmp_path, panel().sample(frac=1, random_state=0), series_id="unique_id")
    alone = load(tmp_path, panel("A"), series_id="unique_id")
    assert splits.spec.column_names == ["y"]
    for both, one in zip((splits.train, splits.val, splits.test), (alone.train, alone.val, alone.test), strict=True):
        assert len(both) == 2 * len(one)
        windows = both.__getitems__(range(len(both)))
        whole = torch.cat([windows["sequence"], windows["target"]], 1)
        assert (whole.amax(1) - whole.amin(1) < 5).all()  # the series lie 10 apart
    statistics = predictor(splits).model.preprocess.scales["sequence"]
    trained = np.concatenate([VALUES[:84], VALUES[:84] + 10])
    assert float(statistics.mean) == pytest.approx(trained.mean(), abs=1e-5)


def test_series_can_be_selected_by_id(tmp_path, capsys):
    splits = load(tmp_path, panel(), series_id="unique_id", only=["B"])
    assert splits.train.series.min() > 5
    short = pd.concat([panel(), panel("C")[:8]])
    assert len(load(tmp_path, short, series_id="unique_id").train) == 2 * len(splits.train)
    assert "1 of 3 series are too short for a window in each split" in capsys.readouterr().out
    with pytest.raises(UserError, match="'C'; there are: A, B"):
        load(tmp_path, panel(), series_id="unique_id", only=["C"])
    with pytest.raises(UserError, match="nearest: unique_id"):
        load(tmp_path, panel(), series_id="uniqu_id")


def test_gaps_of_one_series_are_not_filled_from_another(tmp_path):
    frame = panel()
    frame.loc[N : N + 2, "y"] = np.nan
    train = load(tmp_path, frame, series_id="unique_id").train
    assert train.filled[84:87].isnan().all()
    assert train.filled[83] < 5 < train.filled[87]


def test_each_series_of_a_table_is_forecast_with_its_ids(tmp_path, capsys):
    frame = panel("ABCD").assign(shop=["x"] * 2 * N + ["z"] * 2 * N, unique_id=(["a"] * N + ["b"] * N) * 2)
    model = predictor(load(tmp_path, frame, series_id=["shop", "unique_id"]))
    short = frame[-3:].assign(shop="new")
    pd.concat([frame, short]).to_csv(tmp_path / "new.csv", index=False)
    header, rows = predict_file(model, tmp_path / "new.csv")
    assert header == ["sample", "shop", "unique_id", "ds", "step", "y"]
    assert [[*row[1:3], row[4]] for row in rows[2:5]] == [["x", "a", 3], ["x", "b", 1], ["x", "b", 2]]
    assert len(rows) == 4 * 3
    assert "left out, with fewer than 6 steps: 1 series" in capsys.readouterr().out
    alone = model.predict(panel("B")[["y"]].to_numpy()[-6:])
    assert [row[5] for row in rows[:3]] == pytest.approx([step[0] for step in alone])


NEXT = {
    "seconds since 1970": [1707177600, 1707181200, 1707184800],
    "dd.mm.yyyy": ["06.02.2024 00:00", "06.02.2024 01:00", "06.02.2024 02:00"],
    "a date and a clock": ["2024-02-06 00:00", "2024-02-06 01:00", "2024-02-06 02:00"],
    "2020-03": ["2010-01", "2010-02", "2010-03"],
    "202003": ["201001", "201002", "201003"],
    "Q1 2020": ["Q1 2020", "Q2 2020", "Q3 2020"],
    "2020-W05": ["2022-W17", "2022-W18", "2022-W19"],
    "clocks of a day": ["20:00:00", "20:10:00", "20:20:00"],
    "seconds of a measurement": [12.0, 12.1, 12.2],
}


@pytest.mark.parametrize("form", NEXT)
def test_a_forecast_has_the_times_that_follow_as_the_file_writes_them(form, tmp_path):
    spec = load(tmp_path, FORMS[form]).spec
    batch, _ = read_raw(spec, tmp_path / "own.csv")
    (times,) = batch.names.values()
    assert times == [NEXT[form]]


def test_times_follow_the_calendar_or_else_the_median_step():
    working_days = pd.date_range("2024-02-01", periods=N, freq="B")  # the last is a Wednesday
    assert write_times(next_times(working_days, 3), None) == ["2024-07-18", "2024-07-19", "2024-07-22"]
    irregular = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-09"])
    assert write_times(next_times(irregular, 2), None) == ["2024-01-10", "2024-01-11"]
    assert written_form("2024-02-05T23:00:00+02:00", pd.Timestamp("2024-02-05 21:00"), "ISO8601").endswith("Z")


def test_a_repeated_time_is_named_with_its_row(tmp_path):
    frame = table(date=HOURS)
    with pytest.raises(UserError, match=r"2024-02-01 04:00:00' in row 7.*\nleave the second one out; or name"):
        load(tmp_path, pd.concat([frame[:5], frame[4:]]))
    autumn = table(date=pd.date_range("2024-10-26", periods=N, freq="h"))
    autumn.loc[27, "date"] = autumn.date[26]
    with pytest.raises(UserError, match="where clocks are put back"):
        load(tmp_path, autumn)


def test_bad_cells_are_named_with_their_row_in_any_encoding(tmp_path):
    frame = table(date=HOURS).astype({"power": object})
    frame.loc[5, "power"] = "much"
    frame.to_csv(tmp_path / "own.csv", index=False, encoding="utf-16-le")
    with pytest.raises(UserError, match=r"column 'power' holds numbers; there is 'much' in row 7 of own.csv"):
        zoo.load_data("series", path=str(tmp_path / "own.csv"), encoding="utf-16-le", columns=["power"])


def test_an_id_column_named_like_a_forecast_keeps_its_name(tmp_path):
    frame = panel().rename(columns={"unique_id": "y", "y": "step"})
    model = predictor(load(tmp_path, frame, series_id="y"))
    header, rows = predict_file(model, tmp_path / "own.csv")
    assert header == ["sample", "y", "ds", "step", "forecast of step"]
    assert [row[1] for row in rows] == ["A"] * 3 + ["B"] * 3


LONG = {
    "a date and a clock": {"Date": HOURS.strftime("%d/%m/%Y"), "Time": HOURS.strftime("%H:%M:%S")},
    "months": {"month": MONTHS.strftime("%Y-%m")},
    "seconds since 1970": {"stamp": since_1970("s")},
    "steps": {"step": np.arange(N)},
}


@pytest.mark.parametrize("form", LONG)
@pytest.mark.parametrize("named", [False, True])
def test_times_in_any_form_order_the_steps_of_sequences_too(tmp_path, form, named):
    frame = pd.DataFrame({"id": np.arange(N) // 6, **LONG[form], "v": np.arange(N), "label": np.arange(N) // 6 % 2})
    frame = frame if form == "steps" else frame.sample(frac=1, random_state=0)
    frame.to_csv(tmp_path / "long.csv", index=False)
    options = {"time": list(LONG[form])} if named else {}
    splits = zoo.load_data("sequences", path=str(tmp_path / "long.csv"), **options)
    assert splits.spec.column_names == ["v"]
    for split in (splits.train, splits.val, splits.test):
        assert (split.columns["sequence"].diff(dim=1) == 1).all()
    assert (read_raw(splits.spec, tmp_path / "long.csv")[0]["sequence"].diff(dim=1) == 1).all()


def test_all_windows_of_another_file_are_evaluated(tmp_path, capsys):
    splits = load(tmp_path, panel(), series_id="unique_id")
    other = panel("XYZ").assign(more=1)
    other.loc[[3, 200], "y"] = np.nan
    other[::-1].to_csv(tmp_path / "other.csv", index=False)
    data = {"name": "series", "path": str(tmp_path / "other.csv")}
    windows = read_labelled(splits.spec, data)
    assert len(windows) == 3 * (N - 6 - 3 + 1)
    assert windows.series.isnan().sum() == 2 and not windows.filled.isnan().any()
    assert "2 missing values" in capsys.readouterr().out
    assert len(read_labelled(splits.spec, {**data, "only": ["Y"]})) == N - 6 - 3 + 1
    other[:8].to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(UserError, match=r"looks back on 6 steps and forecasts 3; .* has 8: give a longer file"):
        read_labelled(splits.spec, data)
