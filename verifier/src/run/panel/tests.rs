//! The panel as it stands on screens of several sizes, in several states.

use super::draw::draw;
use super::histogram::bars;
use super::look::{Look, Phase, StageLook};
use crate::record::{Exchange, Figures, Outcome, Sketch};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::time::Duration;

fn screen(look: &Look, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let frame = terminal.draw(|frame| draw(look, frame.area(), frame.buffer_mut()));
    frame.unwrap();
    terminal.backend().to_string()
}

fn exchange(n: u64) -> Exchange {
    let (outcome, status) = match n {
        n if n % 400 == 7 => (Outcome::HttpError, 503),
        n if n % 1000 == 8 => (Outcome::HttpError, 429),
        n if n % 1500 == 9 => (Outcome::Timeout, 0),
        _ => (Outcome::Ok, 200),
    };
    // Most around half a millisecond, the slowest two hundred times as long.
    let took_ns = 300_000 + n * 37 % 1000 * 400 + if n.is_multiple_of(50) { n * 20_000 } else { 0 };
    Exchange {
        seq: n,
        intended_ns: 1,
        sent_ns: 20_001,
        connected_ns: 0,
        first_byte_ns: 0,
        done_ns: 1 + took_ns,
        connection: 0,
        bytes: 0,
        stage: 0,
        status,
        outcome,
        task: 0,
    }
}

fn loaded() -> Look {
    let mut figures = Figures::default();
    (0..5000).map(exchange).for_each(|row| figures.count(&row));
    let seconds = Duration::from_secs;
    Look {
        plan: "steps".into(),
        target: "POST http://127.0.0.1:8080/predict".into(),
        elapsed: seconds(73),
        stage: Some(StageLook {
            number: 2,
            of: Some(3),
            name: "steady".into(),
            load: "5000 req/s".into(),
            wanted: Some(5000.0),
            lasts: seconds(60),
            since: seconds(24),
            after: seconds(30),
        }),
        past: (0..70).map(|n| 4000 + n * 377 % 1000).collect(),
        figures,
        workers: vec![0.42, 0.38],
        due: 123_456,
        complete: vec![("otlp".into(), 123_400), ("jaeger".into(), 98_765)],
        replicas: Some((Some(3), 2)),
        notes: vec![
            (seconds(31), "fault kill: SIGKILL to process 4711".into()),
            (
                seconds(32),
                "a replica ended: process 4711, signal: 9 (SIGKILL)".into(),
            ),
            (seconds(35), "replica 2 is there again: process 4802".into()),
        ],
        keys: true,
        ..Look::default()
    }
}

fn crowd() -> Look {
    let mut look = loaded();
    look.users = Some(112);
    look.workers = vec![0.07];
    look.complete.truncate(1);
    look.replicas = None;
    look.notes = vec![(Duration::from_secs(70), "112 users from now on".into())];
    if let Some(stage) = &mut look.stage {
        (stage.number, stage.of, stage.wanted) = (1, Some(1), None);
        stage.load = "100 users".into();
        stage.after = Duration::ZERO;
    }
    look
}

#[test]
fn a_load_as_large_screens_show_it() {
    insta::assert_snapshot!("load_120x40", screen(&loaded(), 120, 40));
    insta::assert_snapshot!("load_80x24", screen(&loaded(), 80, 24));
}

#[test]
fn users_have_keys() {
    insta::assert_snapshot!("users_80x24", screen(&crowd(), 80, 24));
}

#[test]
fn a_small_screen_has_what_fits() {
    insta::assert_snapshot!("load_60x16", screen(&loaded(), 60, 16));
    insta::assert_snapshot!("load_40x10", screen(&loaded(), 40, 10));
    insta::assert_snapshot!("load_70x3", screen(&loaded(), 70, 3));
}

#[test]
fn before_any_load_there_is_nothing_to_show() {
    let look = Look {
        plan: "quick".into(),
        target: "POST http://127.0.0.1:8080/predict".into(),
        ..Look::default()
    };
    insta::assert_snapshot!("starting_80x24", screen(&look, 80, 24));
}

#[test]
fn after_the_load_it_says_what_is_awaited() {
    let mut look = loaded();
    look.phase = Phase::Drain;
    insta::assert_snapshot!("drain_80x24", screen(&look, 80, 24));
    look.phase = Phase::Settle(Duration::from_secs(42), vec!["iris-5d9-abc".into()]);
    insta::assert_snapshot!("settle_80x24", screen(&look, 80, 24));
    look.phase = Phase::Faults;
    insta::assert_snapshot!("faults_80x24", screen(&look, 80, 24));
}

#[test]
fn no_size_is_too_small_to_be_drawn() {
    for look in [loaded(), crowd(), Look::default()] {
        for (width, height) in (0..70).flat_map(|width| (0..20).map(move |height| (width, height)))
        {
            let area = Rect::new(0, 0, width, height);
            draw(&look, area, &mut Buffer::empty(area));
        }
    }
}

#[test]
fn bars_hold_every_time_once() {
    let mut sketch = Sketch::default();
    assert_eq!(bars(&sketch, 5), []);
    for ns in [1_000, 1_000, 5_000, 100_000, 40_000_000] {
        sketch.record(ns);
    }
    for rows in 1..20 {
        let bars = bars(&sketch, rows);
        assert_eq!(bars.len(), usize::from(rows));
        assert_eq!(bars.iter().map(|(_, count)| count).sum::<u64>(), 5);
        assert!(bars.is_sorted_by(|a, b| a.0 < b.0), "{bars:?}");
        assert_eq!(bars.last().unwrap().0, 40_000_000);
    }
}
