//! The engine's errors as the exceptions that `rreplay.errors` defines.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};
use rreplay::error::Error;
use rreplay::log::StampedEvent;
use rreplay::replay::{Cause, Diagnosis, Differences, Divergence, Executed, FieldDifference, Found};
use rreplay::units::Position;

/// The exception for `error`: its class by name, its message, and its facts as attributes.
pub fn raise(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// Characters of a word beyond which only its beginning is quoted: a name, a path or a line that is far too long.
const WORD_MAX: usize = 400;

/// What is quoted of such a word.
const WORD_KEPT: usize = 100;

/// Characters of a message; of one that is longer the beginning is kept, and the advice at its end.
const MESSAGE_MAX: usize = 2000;
const MESSAGE_KEPT: (usize, usize) = (1000, 400);

/// A message of a length that a person reads, whatever it quotes. Reports of divergences do not go through here: they
/// bound each part.
fn bounded(message: &str) -> String {
    if message.len() <= WORD_MAX {
        return message.to_owned();
    }
    let words = message.split_inclusive(char::is_whitespace).map(|word| match word.chars().count() {
        length if length > WORD_MAX => {
            let beginning: String = word.chars().take(WORD_KEPT).collect();
            format!("{beginning}... ({length} characters) ")
        }
        _ => word.to_owned(),
    });
    let message: String = words.collect();
    let length = message.chars().count();
    if length <= MESSAGE_MAX {
        return message;
    }
    let (beginning, end) = MESSAGE_KEPT;
    let left_out = length - beginning - end;
    let beginning: String = message.chars().take(beginning).collect();
    let end: String = message.chars().skip(length - end).collect();
    format!("{beginning}... ({left_out} characters left out) ...{end}")
}

/// An exception of the class `name` of `rreplay.errors`, with a message.
pub fn named(py: Python<'_>, name: &str, message: &str) -> PyErr {
    let class = py.import("rreplay.errors").and_then(|module| module.getattr(name));
    match class.and_then(|class| class.call1((bounded(message),))) {
        Ok(exception) => PyErr::from_value(exception),
        Err(broken) => broken,
    }
}

/// Turns the engine's result into Python's.
pub trait OrRaise<T> {
    /// The value, or the exception for the error.
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for Result<T, Error> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| raise(py, &error))
    }
}

fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let class = py.import("rreplay.errors")?.getattr(error.class())?;
    if let Some(divergence) = error.divergence() {
        return divergence_exception(&class, divergence);
    }
    let exception = class.call1((bounded(&error.to_string()),))?;
    if let Some(damage) = error.damage() {
        exception.setattr("byte_offset", damage.offset)?;
        exception.setattr("icount", damage.last.icount)?;
        exception.setattr("events", damage.events)?;
    }
    Ok(exception)
}

/// The whole report as the exception's text, and each of its facts as an attribute.
fn divergence_exception<'py>(
    class: &Bound<'py, PyAny>,
    divergence: &Divergence,
) -> PyResult<Bound<'py, PyAny>> {
    let parts = Parts { module: class.py().import("rreplay.errors.divergence")? };
    let exception = class.call1((divergence.report().to_string(),))?;
    exception.setattr("summary", divergence.to_string())?;
    exception.setattr("icount", divergence.position.icount)?;
    exception.setattr("cycles", divergence.position.cycles)?;
    exception.setattr("pc", divergence.pc)?;
    if let Some(StampedEvent { position, ordinal, event }) = &divergence.expected {
        exception.setattr("ordinal", ordinal.0)?;
        exception.setattr("expected", event.to_string())?;
        exception.setattr("expected_icount", position.icount)?;
        exception.setattr("expected_cycles", position.cycles)?;
    }
    exception.setattr("byte_offset", divergence.byte_offset)?;
    exception.setattr("found", divergence.found.to_string())?;
    exception.setattr("found_kind", divergence.found.kind())?;
    if let Found::State { subsystems, matching } = &divergence.found {
        exception.setattr("subsystems", parts.tuple(subsystems, |name| Ok(name.clone()))?)?;
        exception.setattr("matching", parts.tuple(matching, |name| Ok(name.clone()))?)?;
    }
    let last_matching = divergence.last_matching_digest.map(|position| position.icount);
    exception.setattr("last_matching_icount", last_matching)?;
    exception.setattr("queued", parts.tuple(&divergence.queued, |queued| Ok(queued.clone()))?)?;
    exception.setattr("lock_holder", divergence.lock_holder)?;
    exception.setattr("likely_cause", divergence.likely_cause.as_deref())?;
    let instructions = parts.tuple(&divergence.executed, |executed| parts.instruction(executed))?;
    exception.setattr("instructions", instructions)?;
    exception.setattr("events", parts.tuple(&divergence.recent, |event| parts.event(event))?)?;
    let diagnosis = divergence.diagnosis.as_ref().map(|diagnosis| parts.diagnosis(diagnosis)).transpose()?;
    exception.setattr("narrowed", diagnosis)?;
    Ok(exception)
}

/// Makes the classes of `rreplay.errors.divergence`.
struct Parts<'py> {
    module: Bound<'py, PyModule>,
}

impl<'py> Parts<'py> {
    fn tuple<T, P: IntoPyObject<'py>>(
        &self,
        items: &[T],
        convert: impl Fn(&T) -> PyResult<P>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let converted: Vec<P> = items.iter().map(convert).collect::<PyResult<_>>()?;
        PyTuple::new(self.module.py(), converted)
    }

    fn instruction(&self, executed: &Executed) -> PyResult<Bound<'py, PyAny>> {
        let Executed { position, pc, bytes, text } = executed;
        let code = PyBytes::new(self.module.py(), bytes);
        let class = self.module.getattr("ExecutedInstruction")?;
        class.call1((position.icount, position.cycles, pc, code, text))
    }

    fn event(&self, event: &StampedEvent) -> PyResult<Bound<'py, PyAny>> {
        let StampedEvent { position, ordinal, event } = event;
        let class = self.module.getattr("LoggedEvent")?;
        class.call1((position.icount, position.cycles, ordinal.0, event.kind().name(), event.to_string()))
    }

    fn diagnosis(&self, diagnosis: &Diagnosis) -> PyResult<Bound<'py, PyAny>> {
        let fields = PyDict::new(self.module.py());
        fields.set_item("outcome", diagnosis.name())?;
        match diagnosis {
            Diagnosis::First { position, cause, instruction, differences } => {
                self.at(&fields, *position)?;
                fields.set_item("cause", cause.name())?;
                let instruction = instruction.as_ref().map(|executed| self.instruction(executed));
                fields.set_item("instruction", instruction.transpose()?)?;
                if let Cause::Event { expected, found } = cause {
                    let event = |event: &Option<StampedEvent>| {
                        event.as_ref().map(|event| self.event(event)).transpose()
                    };
                    fields.set_item("expected", event(expected)?)?;
                    fields.set_item("found", event(found)?)?;
                }
                self.differences(&fields, differences)?;
            }
            Diagnosis::InLog { from, to, differences } => {
                self.at(&fields, *from)?;
                fields.set_item("until_icount", to.icount)?;
                fields.set_item("until_cycles", to.cycles)?;
                self.differences(&fields, differences)?;
            }
            Diagnosis::Unrepeated { position, differences } => {
                self.at(&fields, *position)?;
                self.differences(&fields, differences)?;
            }
            Diagnosis::GivenUp { reason } => fields.set_item("reason", reason)?,
        }
        self.module.getattr("Narrowed")?.call((), Some(&fields))
    }

    fn at(&self, fields: &Bound<'py, PyDict>, position: Position) -> PyResult<()> {
        fields.set_item("icount", position.icount)?;
        fields.set_item("cycles", position.cycles)
    }

    fn differences(&self, fields: &Bound<'py, PyDict>, differences: &Differences) -> PyResult<()> {
        let class = self.module.getattr("FieldDifference")?;
        let listed = self.tuple(&differences.listed, |difference| {
            let FieldDifference { subsystem, field, expected, found } = difference;
            class.call1((subsystem, field, expected, found))
        })?;
        fields.set_item("differences", listed)?;
        fields.set_item("left_out", differences.left_out)
    }
}
