//! Tables of accesses and of events, by column, for whoever speaks Arrow or takes buffers.

use super::values::PyAccess;
use crate::sync::Shared;
use crate::timeline::Access;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchIterator, StringArray, UInt8Array, UInt16Array, UInt64Array,
};
use arrow_schema::ArrowError;
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule};

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
        let reader = RecordBatchIterator::new([Ok(batch)], schema);
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
    }
}
