//! How a command ends: exit codes and failures.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use audit::Severity;

/// How a command ends. The codes are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; nothing was found.
    Nothing,
    /// Done; campaigns were found.
    Found,
    /// Done; an audit found something as grave as this at most.
    Audited(Severity),
    /// What was typed cannot be done.
    Usage,
    /// Input that cannot be read, or output that cannot be written.
    Unreadable,
    /// A file, port or service that cannot be used.
    Io,
}

impl Exit {
    /// The code that says so.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Nothing => 0,
            Exit::Usage => 2,
            Exit::Found => 10,
            Exit::Audited(Severity::Informational) => 11,
            Exit::Audited(Severity::Low) => 12,
            Exit::Audited(Severity::Medium) => 13,
            Exit::Audited(Severity::High) => 14,
            Exit::Unreadable => 65,
            Exit::Io => 74,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command could not do what it should.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// What was typed cannot be done.
    pub(crate) fn usage(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Usage, message: message.to_string() }
    }

    /// Something cannot be read or written.
    pub(crate) fn unreadable(error: impl std::error::Error) -> Failure {
        Failure { exit: Exit::Unreadable, message: with_causes(&error) }
    }

    /// A file, port or service cannot be used.
    pub(crate) fn io(what: impl fmt::Display, error: impl std::error::Error) -> Failure {
        Failure { exit: Exit::Io, message: format!("{what}: {}", with_causes(&error)) }
    }

    /// A file, port or service does not do what it should.
    pub(crate) fn service(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Io, message: message.to_string() }
    }

    /// A file cannot be written.
    pub(crate) fn unwritable(path: &Path, error: &io::Error) -> Failure {
        Failure { exit: Exit::Unreadable, message: format!("`{}` cannot be written: {error}", path.display()) }
    }

    /// Too much of the input is bad.
    pub(crate) fn bad_input(message: impl fmt::Display) -> Failure {
        Failure { exit: Exit::Unreadable, message: message.to_string() }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error with its causes.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.ends_with(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}
