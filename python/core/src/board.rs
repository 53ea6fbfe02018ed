//! Board descriptions.

use super::errors::OrRaise;
use super::given;
use pyo3::prelude::*;
use rreplay::error::Error;
use rreplay::machine::board::Board;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The names of the preset boards.
#[pyfunction]
pub fn boards() -> Vec<&'static str> {
    Board::presets().collect()
}

/// A board: a processor, a memory map and devices. Immutable; equal when the descriptions are.
#[pyclass(frozen, eq, module = "rreplay", name = "Board")]
#[derive(Clone, PartialEq)]
pub struct PyBoard {
    pub board: Board,
}

#[pymethods]
impl PyBoard {
    /// The preset called `name`; `boards()` lists them. Raises BoardError.
    #[staticmethod]
    fn preset(py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Self> {
        let board = Board::preset(&given::text("name", name)?).map_err(Error::from).or_raise(py)?;
        Ok(Self { board })
    }

    /// The board that a TOML text describes. Raises BoardError, which names the key or region at fault.
    #[staticmethod]
    fn from_toml(py: Python<'_>, text: &Bound<'_, PyAny>) -> PyResult<Self> {
        let board = Board::from_toml(&given::text("text", text)?).map_err(Error::from).or_raise(py)?;
        Ok(Self { board })
    }

    /// This board with another processor: "6502" (also "nmos6502", "mos6502") or "w65c02" (also "65c02"). Raises BoardError.
    fn with_cpu(&self, py: Python<'_>, kind: &Bound<'_, PyAny>) -> PyResult<Self> {
        let board =
            self.board.clone().with_cpu(&given::text("cpu", kind)?).map_err(Error::from).or_raise(py)?;
        Ok(Self { board })
    }

    /// This board with the arguments of a C program's `main`, its name first. Raises BoardError.
    fn with_arguments(&self, py: Python<'_>, arguments: &Bound<'_, PyAny>) -> PyResult<Self> {
        let arguments = given::texts("arguments", arguments)?;
        let board = self.board.clone().with_arguments(arguments).map_err(Error::from).or_raise(py)?;
        Ok(Self { board })
    }

    /// The description as TOML text; `from_toml` of it gives an equal board.
    fn to_toml(&self) -> String {
        self.board.to_toml()
    }

    /// The board's name.
    #[getter]
    fn name(&self) -> &str {
        &self.board.name
    }

    /// The processor's own name, such as "6502" or "w65c02".
    #[getter]
    fn cpu(&self) -> &'static str {
        self.board.cpu.kind.name()
    }

    /// The processor's clock in hertz.
    #[getter]
    fn clock_hz(&self) -> u64 {
        self.board.cpu.clock_hz
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.board.to_toml().hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        format!("<Board {}>", self.board.name)
    }
}
