//! Why a simulation failed.

use std::io;
use std::path::PathBuf;

use crate::scenario::BadScenario;

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulateError {
    /// The scenario cannot be simulated.
    #[error(transparent)]
    Scenario(#[from] BadScenario),
    /// A file could not be read or written.
    #[error("`{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A row of a corpus is not as expected.
    #[error("`{}`, line {line}: {problem}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// A text of the scenario is none that is known.
    #[error("`texts` names `{name}`, expected a file of the corpora such as `open/benign-oasst`")]
    UnknownText {
        /// What it names.
        name: String,
    },
    /// The output could not be written.
    #[error("cannot write the output")]
    Output(#[source] io::Error),
}
