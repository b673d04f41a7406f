//! `stillwatch fingerprint`: a log without its texts, in which campaigns are found all the same.
//!
//! Refuses to write when nothing could be read, and to show the key. A line that cannot be read is told and left out.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use event::file::{self, Fingerprints, TooLong};
use exchange::{Exchange, write_native};
use signals::fingerprint::{self, FingerprintKey, without_texts};
use signals::sketch::SCHEME;

use super::hunt;
use crate::calls;
use crate::cli::Fingerprint;
use crate::failure::{Exit, Failure};
use crate::inputs::Inputs;
use crate::output::{OutputFile, print};
use crate::progress;
use report::words;

/// Writes every exchange without its texts.
pub(crate) fn run(args: &Fingerprint) -> Result<Exit, Failure> {
    let key = key(&args.key_file)?;
    let inputs = Inputs::find(&args.paths, None).map_err(Failure::unreadable)?;
    hunt::tell_what_was_passed_over(&inputs);
    let unwritable = |error: std::io::Error| Failure::unwritable(&args.out, &error);
    let mut output = OutputFile::create(&args.out)?;
    let options = hunt::read_options(&args.records);
    let bar = progress::reading(inputs.bytes);
    let threads = hunt::threads(None);
    let mut watch = |step: calls::Step| bar.set_position(step.bytes);
    let (mut written, mut too_long) = (Ok(()), 0_u64);
    let mut write = |bytes: std::io::Result<Vec<u8>>| {
        if written.is_ok() {
            written = bytes.and_then(|bytes| output.write_all(&bytes));
        }
    };
    let read = if args.compact {
        let mut blocks = file::Writer::default();
        write(Ok(file::begin(&Fingerprints { scheme: SCHEME.to_owned(), key: Some(key.id()) })));
        let event = || |exchange: &Exchange<'_>| fingerprint::keyed(signals::of(exchange), &key);
        let mut sink = |event, _| match blocks.push(&event) {
            Ok(block) => block.into_iter().for_each(|block| write(Ok(block))),
            Err(TooLong) => too_long += 1,
        };
        let read = calls::each(&inputs, &options, threads, &event, &mut watch, &mut sink);
        write(Ok(blocks.finish()));
        read
    } else {
        let line = || {
            |exchange: &Exchange<'_>| {
                let mut line = Vec::new();
                write_native(&without_texts(exchange, &key), &mut line).map(|()| line)
            }
        };
        calls::each(&inputs, &options, threads, &line, &mut watch, &mut |line, _| write(line))
    };
    bar.finish_and_clear();
    let report = read.map_err(Failure::unreadable)?.report;
    written.map_err(unwritable)?;
    hunt::tell(&report, "exchanges");
    if too_long > 0 {
        eprintln!("skipped {}: {TooLong}", words::counted(too_long, "exchange"));
    }
    if report.records == 0 {
        return Err(Failure::bad_input(
            "nothing could be read as an exchange; if the format is known, name it by --format",
        ));
    }
    output.finish()?;
    print(&format!(
        "Wrote {} {} without text to {}.\nNext: stillwatch hunt {} --accounts FILE\n",
        report.records - too_long,
        if args.compact { "compact events" } else { "records" },
        args.out.display(),
        args.out.display()
    ))?;
    Ok(Exit::Nothing)
}

/// The key in a file.
pub(super) fn key(path: &Path) -> Result<FingerprintKey, Failure> {
    let named = |error: &dyn std::fmt::Display| {
        Failure::bad_input(format!("the key in `{}` cannot be read: {error}", path.display()))
    };
    let mut text = fs::read_to_string(path).map_err(|error| named(&error))?;
    let key = FingerprintKey::parse(&text).map_err(|error| named(&error));
    zeroize::Zeroize::zeroize(&mut text);
    key
}
