//! `stillwatch fingerprint`: a log without its texts, in which campaigns are found all the same.
//!
//! Refuses to write when nothing could be read, and to show the key. A line that cannot be read is told and left out.

use std::fs;

use exchange::{Call, Exchange, Joiner, ReadReport, parse_chunk, write_native};
use signals::fingerprint::{FingerprintKey, seal};

use super::{Exit, Failure, hunt, print};
use crate::cli::Fingerprint;
use crate::inputs::{self, Inputs};
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
    let (mut report, mut joiner) = (ReadReport::default(), Joiner::new(options.clone()));
    let bar = progress::reading(inputs.bytes);
    let mut before = 0;
    for path in &inputs.exchanges {
        let source = inputs::source(path).map_err(Failure::unreadable)?;
        let progress = source.progress();
        for chunk in source {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => {
                    report.source_broke(&error);
                    continue;
                }
            };
            let mut written = Ok(());
            let mut sink = |exchange: Exchange<'static>| {
                if written.is_ok() {
                    written = write_native(&seal(&exchange, &key), &mut output);
                }
            };
            let mut join = |call: Call<'_>, line| joiner.push(call.into_owned(), &chunk.source, line, &mut sink);
            parse_chunk(&chunk, &options, &mut join, &mut report);
            report.merge(joiner.take_report());
            written.map_err(unwritable)?;
            bar.set_position(before + progress.bytes());
        }
        before += progress.bytes();
    }
    bar.finish_and_clear();
    let mut written = Ok(());
    joiner.finish(&mut |exchange| {
        if written.is_ok() {
            written = write_native(&seal(&exchange, &key), &mut output);
        }
    });
    written.map_err(unwritable)?;
    report.merge(joiner.take_report());
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
