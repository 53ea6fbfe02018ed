//! Tables of accesses and of events, by column, for whoever speaks Arrow or takes buffers.

use super::callbacks::Callbacks;
use super::event::{Names, Value, carried};
use super::values::PyAccess;
use arrow_array::builder::{Int16Builder, ListBuilder};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Int64Array, RecordBatch, RecordBatchIterator, RecordBatchReader,
    StringArray, UInt8Array, UInt16Array, UInt64Array,
};
use arrow_schema::ArrowError;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};
use rreplay::error::Error;
use rreplay::log::{EventKind, StampedEvent};
use rreplay::recording::Recording;
use rreplay::sync::{Arc, Shared, ThreadId, current_thread};
use rreplay::timeline::Access;

/// All accesses that a query found.
#[pyclass(frozen, module = "rreplay._core", name = "AccessColumns")]
pub struct PyAccessColumns {
    rows: Vec<Access>,
}

impl PyAccessColumns {
    pub fn new(rows: Vec<Access>) -> Self {
        Self { rows }
    }

    fn batch(&self) -> Result<RecordBatch, ArrowError> {
        let rows = || self.rows.iter();
        let columns: [(&str, ArrayRef); 8] = [
            ("icount", Shared::new(rows().map(|row| row.icount).collect::<UInt64Array>())),
            ("cycles", Shared::new(rows().map(|row| row.cycles).collect::<UInt64Array>())),
            ("pc", Shared::new(rows().map(|row| row.pc).collect::<UInt16Array>())),
            ("address", Shared::new(rows().map(|row| row.address).collect::<UInt16Array>())),
            ("old", Shared::new(rows().map(|row| row.old).collect::<UInt8Array>())),
            ("new", Shared::new(rows().map(|row| row.new).collect::<UInt8Array>())),
            ("kind", Shared::new(rows().map(|row| Some(kind(row))).collect::<StringArray>())),
            ("by", Shared::new(rows().map(|row| Some(row.by.as_str())).collect::<StringArray>())),
        ];
        // Nothing in a nullable column is absent by chance: a column without absences is one all the same.
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, column)| (name, column, matches!(name, "pc" | "old"))),
        )
    }
}

fn kind(access: &Access) -> &'static str {
    if access.is_write { "w" } else { "r" }
}

#[pymethods]
impl PyAccessColumns {
    fn __len__(&self) -> usize {
        self.rows.len()
    }

    fn row(&self, place: usize) -> PyResult<PyAccess> {
        let row = self.rows.get(place);
        row.cloned().map(PyAccess::from).ok_or_else(|| PyIndexError::new_err("no such access"))
    }

    /// A column as 64-bit numbers in the machine's byte order; -1 where there is none.
    fn numbers<'py>(&self, py: Python<'py>, column: &str) -> Option<Bound<'py, PyBytes>> {
        let number: fn(&Access) -> i64 = match column {
            "icount" => |row| row.icount.cast_signed(),
            "cycles" => |row| row.cycles.cast_signed(),
            "pc" => |row| row.pc.map_or(-1, i64::from),
            "address" => |row| i64::from(row.address),
            "old" => |row| row.old.map_or(-1, i64::from),
            "new" => |row| i64::from(row.new),
            _ => return None,
        };
        let bytes: Vec<u8> = self.rows.iter().flat_map(|row| number(row).to_ne_bytes()).collect();
        Some(PyBytes::new(py, &bytes))
    }

    /// A column of texts.
    fn texts(&self, column: &str) -> Option<Vec<String>> {
        match column {
            "kind" => Some(self.rows.iter().map(|row| kind(row).to_owned()).collect()),
            "by" => Some(self.rows.iter().map(|row| row.by.clone()).collect()),
            _ => None,
        }
    }

    /// The Arrow C stream interface.
    fn arrow_c_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let broken = |error: ArrowError| super::errors::named(py, "EngineError", &error.to_string());
        let batch = py.detach(|| self.batch()).map_err(broken)?;
        let schema = batch.schema();
        stream(py, RecordBatchIterator::new([Ok(batch)], schema))
    }
}

fn stream<'py>(
    py: Python<'py>,
    reader: impl RecordBatchReader + Send + 'static,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
}

/// Rows of a batch: the events of a long recording are never all in memory.
const BATCH: usize = 1 << 14;

/// The type of a column of what events carry.
#[derive(Clone, Copy)]
enum Column {
    Text,
    Bytes,
    Number,
    Id,
    Flag,
    Samples,
}

/// All that an event may carry, but for digests: a column each, by the name of the attribute.
const CARRIED: [(&str, Column); 23] = [
    ("interrupt", Column::Text),
    ("exception", Column::Text),
    ("checkpoint", Column::Text),
    ("cause", Column::Text),
    ("device", Column::Text),
    ("data", Column::Bytes),
    ("result", Column::Number),
    ("offset", Column::Number),
    ("error", Column::Number),
    ("flags", Column::Number),
    ("id", Column::Id),
    ("clock", Column::Text),
    ("value", Column::Number),
    ("input", Column::Text),
    ("keycode", Column::Number),
    ("button", Column::Number),
    ("axis", Column::Number),
    ("down", Column::Flag),
    ("frames", Column::Number),
    ("recorded", Column::Number),
    ("write_position", Column::Number),
    ("samples", Column::Samples),
    ("number", Column::Id),
];

/// The events of a recording, or some of them.
#[pyclass(frozen, module = "rreplay._core", name = "EventColumns")]
pub struct PyEventColumns {
    pub recording: Shared<Recording>,
    pub names: Arc<Names>,
    pub kind: Option<EventKind>,
    pub start: Option<u64>,
    pub stop: Option<u64>,
}

#[pymethods]
impl PyEventColumns {
    /// The Arrow C stream interface; each stream reads the events anew, a batch at a time.
    fn arrow_c_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        use super::errors::OrRaise;
        let broken = |error: ArrowError| super::errors::named(py, "EngineError", &error.to_string());
        let schema = event_batch(&[], &self.names).map_err(broken)?.schema();
        let user = User { callbacks: Callbacks::default(), thread: current_thread() };
        let user = Arc::new(user);
        let asked = Arc::clone(&user);
        let is_stopped = move || asked.has_stopped();
        let events = py.detach(|| self.recording.events_unless(self.kind, self.start, self.stop, is_stopped));
        let batches = Batches { events: events.or_raise(py)?, user, names: Arc::clone(&self.names) };
        stream(py, RecordBatchIterator::new(batches, schema))
    }
}

/// Who reads a stream. It is some other library's code that does, and which takes all batches before Python goes on.
struct User {
    callbacks: Callbacks,
    /// Where the stream was made. Only there the interpreter is asked: another thread might wait for one that waits for it.
    thread: ThreadId,
}

impl User {
    /// Whether Ctrl-C was pressed. The library is told that reading has failed; Python raises when that has come back.
    fn has_stopped(&self) -> bool {
        let stopped = current_thread() == self.thread && self.callbacks.signalled();
        if stopped {
            self.callbacks.raise_afterwards();
        }
        stopped
    }
}

struct Batches<Events> {
    events: Events,
    user: Arc<User>,
    names: Arc<Names>,
}

impl<Events: Iterator<Item = Result<StampedEvent, Error>>> Iterator for Batches<Events> {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows: Result<Vec<StampedEvent>, Error> = if self.user.has_stopped() {
            Err(Error::State("reading the events was stopped".into()))
        } else {
            self.events.by_ref().take(BATCH).collect()
        };
        match rows {
            Ok(rows) if rows.is_empty() => None,
            Ok(rows) => Some(event_batch(&rows, &self.names)),
            Err(error) => Some(Err(ArrowError::ExternalError(Box::new(error)))),
        }
    }
}

fn event_batch(rows: &[StampedEvent], names: &Names) -> Result<RecordBatch, ArrowError> {
    let carried: Vec<_> = rows.iter().map(|row| carried(&row.event, names)).collect();
    let positions = || rows.iter().map(|row| row.position);
    let ordinals = rows.iter().map(|row| row.ordinal.0);
    let kinds = rows.iter().map(|row| Some(row.event.kind().name()));
    let mut columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("icount", Shared::new(positions().map(|at| at.icount).collect::<UInt64Array>()), false),
        ("cycles", Shared::new(positions().map(|at| at.cycles).collect::<UInt64Array>()), false),
        ("ordinal", Shared::new(ordinals.collect::<UInt64Array>()), false),
        ("kind", Shared::new(kinds.collect::<StringArray>()), false),
    ];
    columns.extend(CARRIED.iter().map(|&(name, column)| (name, column_of(&carried, name, column), true)));
    RecordBatch::try_from_iter_with_nullable(columns)
}

fn column_of(rows: &[Vec<(&'static str, Value)>], name: &str, column: Column) -> ArrayRef {
    let values = rows.iter().map(|row| row.iter().find(|(other, _)| *other == name).map(|(_, value)| value));
    match column {
        Column::Text => Shared::new(
            values
                .map(|value| match value? {
                    Value::Text(text) => Some(text.clone()),
                    // Networks have numbers and no names.
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                })
                .collect::<StringArray>(),
        ),
        Column::Bytes => Shared::new(
            values
                .map(|value| if let Value::Bytes(bytes) = value? { Some(bytes.as_slice()) } else { None })
                .collect::<BinaryArray>(),
        ),
        Column::Number => Shared::new(
            values
                .map(|value| if let Value::Number(number) = value? { Some(*number) } else { None })
                .collect::<Int64Array>(),
        ),
        Column::Id => Shared::new(
            values
                .map(|value| if let Value::Id(number) = value? { Some(*number) } else { None })
                .collect::<UInt64Array>(),
        ),
        Column::Flag => Shared::new(
            values
                .map(|value| if let Value::Flag(flag) = value? { Some(*flag) } else { None })
                .collect::<BooleanArray>(),
        ),
        Column::Samples => {
            let mut lists = ListBuilder::new(Int16Builder::new());
            for value in values {
                let samples = if let Some(Value::Samples(samples)) = value { Some(samples) } else { None };
                lists.append_option(samples.map(|samples| samples.iter().copied().map(Some)));
            }
            Shared::new(lists.finish())
        }
    }
}
