//! `stillwatch fingerprint`: a log without its texts, in which campaigns are found all the same.
//!
//! Refuses to write when nothing could be read, and to show the key. A line that cannot be read is told and left out.

use std::fs;
use std::io::Write as _;

use exchange::{Exchange, write_native};
use signals::fingerprint::{FingerprintKey, seal};

use super::{Exit, Failure, hunt, print};
use crate::calls;
use crate::cli::Fingerprint;
use crate::inputs::Inputs;
use crate::output::OutputFile;
use crate::progress;

/// Seals every exchange.
pub(crate) fn run(args: &Fingerprint) -> Result<Exit, Failure> {
    let key = key(args)?;
    let inputs = Inputs::find(&args.paths, None).map_err(Failure::unreadable)?;
    hunt::tell_what_was_passed_over(&inputs);
    let unwritable = |error: std::io::Error| Failure::unwritable(&args.out, &error);
    let mut output = OutputFile::create(&args.out)?;
    let options = hunt::read_options(&args.records);
    let bar = progress::reading(inputs.bytes);
    let line = || {
        |exchange: &Exchange<'_>| {
            let mut line = Vec::new();
            write_native(&seal(exchange, &key), &mut line).map(|()| line)
        }
    };
    let mut written = Ok(());
    let mut sink = |line: std::io::Result<Vec<u8>>, _| {
        if written.is_ok() {
            written = line.and_then(|line| output.write_all(&line));
        }
    };
    let mut watch = |step: calls::Step| bar.set_position(step.bytes);
    let read = calls::each(&inputs, &options, hunt::threads(None), &line, &mut watch, &mut sink);
    bar.finish_and_clear();
    let report = read.map_err(Failure::unreadable)?.report;
    written.map_err(unwritable)?;
    hunt::tell(&report, "exchanges");
    if report.records == 0 {
        return Err(Failure::bad_input(
            "nothing could be read as an exchange; if the format is known, name it by --format",
        ));
    }
    output.finish()?;
    print(&format!(
        "Wrote {} records without text to {}.\nNext: stillwatch hunt {} --accounts FILE\n",
        report.records,
        args.out.display(),
        args.out.display()
    ))?;
    Ok(Exit::Nothing)
}

fn key(args: &Fingerprint) -> Result<FingerprintKey, Failure> {
    let named = |error: &dyn std::fmt::Display| {
        Failure::bad_input(format!("the key in `{}` cannot be read: {error}", args.key_file.display()))
    };
    let mut text = fs::read_to_string(&args.key_file).map_err(|error| named(&error))?;
    let key = FingerprintKey::parse(&text).map_err(|error| named(&error));
    zeroize::Zeroize::zeroize(&mut text);
    key
}
