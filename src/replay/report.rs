//! The report of a divergence, as a person reads it on a terminal: what was expected and what came, where the first
//! difference is, and what led there. At most some 40 lines of some 100 columns; the rest is in the [`Divergence`].

use super::{Cause, Diagnosis, Differences, Divergence, Executed, FieldDifference, Found};
use crate::log::event::{Event, StampedEvent};
use crate::units::Position;
use std::fmt::{Display, Formatter, Result};

/// Rows of each list that are shown: with everything else they make 40 lines.
const DIFFERENCES_SHOWN: usize = 8;
const INSTRUCTIONS_SHOWN: usize = 9;
const EVENTS_SHOWN: usize = 6;
/// Columns that a sentence may take.
const TEXT_COLUMNS: usize = 84;
/// Columns that a value may take.
const VALUE_COLUMNS: usize = 30;

/// [`Divergence::report`].
pub struct Report<'a>(pub(super) &'a Divergence);

impl Display for Report<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let divergence = self.0;
        write!(f, "the replay diverged at {}", divergence.position)?;
        if let Some(pc) = divergence.pc {
            write!(f, ", pc ${pc:04X}")?;
        }
        writeln!(f, "\n")?;
        facts(f, divergence)?;
        if let Some(diagnosis) = &divergence.diagnosis {
            writeln!(f)?;
            match (divergence.at_snapshot(), diagnosis) {
                (Some(number), Diagnosis::InLog { from, differences, .. }) => {
                    show_wrong_snapshot(f, number, *from, differences)?;
                }
                _ => show_narrowed(f, diagnosis)?,
            }
            show_only_events(f, divergence)?;
        }
        show_instructions(f, divergence)?;
        show_events(f, divergence)
    }
}

/// A line of the first table. The report's last line has no line break, so each begins with one where it must.
fn fact(f: &mut Formatter<'_>, name: &str, value: impl Display) -> Result {
    writeln!(f, "  {name:<13} {value}")
}

fn facts(f: &mut Formatter<'_>, divergence: &Divergence) -> Result {
    match &divergence.expected {
        Some(expected) => {
            fact(f, "the log has", Expected { event: expected, divergence })?;
        }
        None => fact(f, "the log has", "no more events")?,
    }
    fact(f, "the replay", &divergence.found)?;
    if let Found::State { matching, .. } = &divergence.found
        && !matching.is_empty()
    {
        fact(f, "still equal", matching.join(", "))?;
    }
    if let Some(cause) = &divergence.likely_cause {
        for (number, row) in rows(cause).into_iter().enumerate() {
            fact(f, if number == 0 { "likely cause" } else { "" }, row)?;
        }
    }
    match divergence.last_matching_digest {
        Some(position) => fact(f, "digests", format_args!("all agreed up to {position}"))?,
        None => fact(f, "digests", "none was compared before")?,
    }
    if matches!(divergence.found, Found::Stuck(_)) || !divergence.queued.is_empty() {
        let queued = match &divergence.queued[..] {
            [] => "nothing".to_owned(),
            queued => shortened(&queued.join(", "), 3 * VALUE_COLUMNS),
        };
        fact(f, "queued", queued)?;
    }
    match divergence.lock_holder {
        Some(holder) if matches!(divergence.found, Found::Stuck(_)) => {
            fact(f, "replay lock", format_args!("held by the {holder}"))
        }
        _ => Ok(()),
    }
}

/// A text in rows that fit beside the names of the facts.
fn rows(text: &str) -> Vec<String> {
    let mut rows = vec![String::new()];
    for word in text.split(' ') {
        let fits = |row: &String| row.is_empty() || row.chars().count() + word.chars().count() < TEXT_COLUMNS;
        match rows.last_mut().filter(|row| fits(row)) {
            Some(row) => {
                let gap = if row.is_empty() { "" } else { " " };
                row.push_str(gap);
                row.push_str(word);
            }
            None => rows.push(word.to_owned()),
        }
    }
    rows
}

/// The event that was expected, with where it stands.
struct Expected<'a> {
    event: &'a StampedEvent,
    divergence: &'a Divergence,
}

impl Display for Expected<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "event {}, {}", self.event.ordinal, Short(&self.event.event))?;
        if self.event.position != self.divergence.position {
            write!(f, ", at {}", self.event.position)?;
        }
        match self.divergence.byte_offset {
            Some(offset) => write!(f, " (in the chunk at byte {offset} of the file)"),
            None => Ok(()),
        }
    }
}

/// An event in one line that fits: a digest is hashes that nobody reads.
pub(super) struct Short<'a>(pub(super) &'a Event);

impl Display for Short<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.0 {
            Event::Digest(digests) => write!(f, "digest of {} subsystems", digests.len()),
            event => event.fmt(f),
        }
    }
}

fn show_wrong_snapshot(
    f: &mut Formatter<'_>,
    number: u64,
    from: Position,
    differences: &Differences,
) -> Result {
    writeln!(
        f,
        "The run is the recorded one up to here, but snapshot {number} of the file is not its state here, or says"
    )?;
    writeln!(f, "something else of what the run has touched since {from}: the file was changed.")?;
    writeln!(
        f,
        "Replayed from the start it is right up to here; timelines and segments that begin at the snapshot are not."
    )?;
    if differences.listed.is_empty() { Ok(()) } else { show_differences(f, differences, "recorded") }
}

fn show_narrowed(f: &mut Formatter<'_>, diagnosis: &Diagnosis) -> Result {
    match diagnosis {
        Diagnosis::First { position, cause, instruction, differences } => {
            writeln!(f, "First difference, found by replaying again: at {position}")?;
            if let Some(instruction) = instruction {
                writeln!(f, "  {}", Line(instruction))?;
            }
            show_cause(f, cause)?;
            show_differences(f, differences, "recorded")
        }
        Diagnosis::InLog { from, to, differences } => {
            writeln!(
                f,
                "A second replay of this log comes to the same place in the same way: the machine is not to blame."
            )?;
            writeln!(f, "The log was recorded from another program, board or version, or it was changed,")?;
            if from == to {
                writeln!(f, "at {from}, where it begins")?;
            } else {
                writeln!(f, "between {from}, up to which all is known to agree,")?;
                writeln!(f, "and     {to}, where it is known not to")?;
            }
            show_differences(f, differences, "recorded")
        }
        Diagnosis::Unrepeated { position, differences } => {
            writeln!(
                f,
                "A second replay of this log passes this place: the log is right. This machine was changed by"
            )?;
            writeln!(
                f,
                "something that no recording has; unless you did it, that is a defect of rreplay or of the computer."
            )?;
            writeln!(f, "At {position} the two differ in")?;
            show_differences(f, differences, "second")
        }
        Diagnosis::GivenUp { reason } => writeln!(f, "The first difference was not looked for: {reason}"),
    }
}

/// Where the machine is right, that says much about what is wrong with the log.
fn show_only_events(f: &mut Formatter<'_>, divergence: &Divergence) -> Result {
    let Some(Diagnosis::InLog { from, to, .. }) = &divergence.diagnosis else { return Ok(()) };
    match &divergence.found {
        Found::State { subsystems, .. } if subsystems == &["events"] && from == to => {
            writeln!(
                f,
                "The machine is in its recorded state: these events do not belong to the header of this file."
            )
        }
        Found::State { subsystems, .. } if subsystems == &["events"] => {
            writeln!(
                f,
                "The machine is in its recorded state: an event that made no difference to it is missing,"
            )?;
            writeln!(f, "is there too often, in another place, or another one.")
        }
        _ => Ok(()),
    }
}

fn show_cause(f: &mut Formatter<'_>, cause: &Cause) -> Result {
    match cause {
        Cause::Instruction => {
            writeln!(f, "  The instruction begins in the same state and does something else.")
        }
        Cause::Event { expected, found } => {
            side(f, "recorded", expected.as_ref())?;
            side(f, "replayed", found.as_ref())
        }
        Cause::Waiting => writeln!(f, "  The CPU waits there; time passes in another way."),
        Cause::Outside => {
            writeln!(f, "  No instruction and no event lies there: the machine was changed from outside.")
        }
    }
}

fn side(f: &mut Formatter<'_>, name: &str, event: Option<&StampedEvent>) -> Result {
    match event {
        Some(event) => {
            let StampedEvent { position, ordinal, event } = event;
            writeln!(f, "  {name}  event {ordinal} at {position}: {}", Short(event))
        }
        None => writeln!(f, "  {name}  no event"),
    }
}

fn show_differences(f: &mut Formatter<'_>, differences: &Differences, expected: &str) -> Result {
    let Differences { listed, left_out } = differences;
    if listed.is_empty() {
        return Ok(());
    }
    let shown = &listed[..listed.len().min(DIFFERENCES_SHOWN)];
    let width = |column: fn(&FieldDifference) -> &str, least: usize| {
        shown.iter().map(|row| column(row).chars().count().min(VALUE_COLUMNS)).max().unwrap_or(0).max(least)
    };
    let (part, field) = (width(|row| &row.subsystem, 0), width(|row| &row.field, 0));
    let value = width(|row| &row.expected, expected.len());
    writeln!(f, "  {:part$}  {:field$}  {expected:value$}  replayed", "", "")?;
    for FieldDifference { subsystem, field: name, expected, found } in shown {
        let (expected, found) = (shortened(expected, VALUE_COLUMNS), shortened(found, VALUE_COLUMNS));
        writeln!(f, "  {subsystem:part$}  {name:field$}  {expected:value$}  {found}")?;
    }
    match listed.len() - shown.len() + left_out {
        0 => Ok(()),
        more => writeln!(f, "  and {more} more"),
    }
}

/// Cut in the middle where it is too long: both ends tell.
fn shortened(text: &str, columns: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= columns {
        return text.to_owned();
    }
    let half = (columns - 3) / 2;
    let (head, tail) = (&characters[..half], &characters[characters.len() - half..]);
    format!("{}...{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// An instruction with its bytes, as the disassembler shows it.
struct Line<'a>(&'a Executed);

impl Display for Line<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let bytes: Vec<String> = self.0.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        write!(f, "{:04X}  {:<8}  {}", self.0.pc, bytes.join(" "), self.0.text)
    }
}

fn show_instructions(f: &mut Formatter<'_>, divergence: &Divergence) -> Result {
    let Some(last) = divergence.executed.last() else { return Ok(()) };
    let shown = &divergence.executed[divergence.executed.len().saturating_sub(INSTRUCTIONS_SHOWN)..];
    let (icount, cycles) = widths(last.position.icount, last.position.cycles);
    write!(f, "\nThe last instructions\n  {:>icount$}  {:>cycles$}", "icount", "cycle")?;
    for executed in shown {
        write!(
            f,
            "\n  {:>icount$}  {:>cycles$}  {}",
            executed.position.icount,
            executed.position.cycles,
            Line(executed)
        )?;
    }
    writeln!(f)
}

fn show_events(f: &mut Formatter<'_>, divergence: &Divergence) -> Result {
    let Some(last) = divergence.recent.last() else {
        return write!(f, "\nNo event agreed before.");
    };
    let shown = &divergence.recent[divergence.recent.len().saturating_sub(EVENTS_SHOWN)..];
    let (icount, cycles) = widths(last.position.icount, last.position.cycles);
    write!(
        f,
        "\nThe last events that agreed\n  {:>icount$}  {:>cycles$}  {:>7}",
        "icount", "cycle", "event"
    )?;
    for StampedEvent { position, ordinal, event } in shown {
        let text = Short(event);
        write!(
            f,
            "\n  {:>icount$}  {:>cycles$}  {:>7}  {text}",
            position.icount, position.cycles, ordinal.0
        )?;
    }
    Ok(())
}

/// Columns that numbers up to these take, and at least their headings'.
fn widths(icount: u64, cycles: u64) -> (usize, usize) {
    let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    (digits(icount).max(8), digits(cycles).max(8))
}
