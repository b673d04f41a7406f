//! Tests of the readers through the crate's public face.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics has failed, as it should")]

mod errors;
mod golden;
mod join;
mod limits;
mod odd;
mod round_trip;
mod source;
mod wrapped;

use exchange::{Call, Joiner, ReadOptions, ReadReport, Source, Time, parse_chunk};

/// The exchanges of `bytes` as native records, and the report, read in chunks of about `chunk_bytes`.
fn read_all(bytes: &[u8], chunk_bytes: usize, reference_time: Option<Time>) -> (Vec<String>, ReadReport) {
    let options = ReadOptions { now: reference_time, ..ReadOptions::default() };
    let mut report = ReadReport::default();
    let (mut exchanges, mut joiner) = (Vec::new(), Joiner::new(options.clone()));
    for chunk in Source::with_chunk_bytes("test", bytes, chunk_bytes) {
        match chunk {
            Ok(chunk) => {
                let mut read = |call: Call<'_>, line| {
                    joiner.push(call.into_owned(), &chunk.source, line, &mut |exchange| {
                        exchanges.push(exchange.to_json());
                    });
                };
                parse_chunk(&chunk, &options, &mut read, &mut report);
            }
            Err(error) => report.source_broke(&error),
        }
    }
    joiner.finish(&mut |exchange| exchanges.push(exchange.to_json()));
    report.merge(joiner.take_report());
    (exchanges, report)
}

/// The report as lines, for golden files and messages.
fn describe(report: &ReadReport) -> String {
    let mut lines = vec![format!("records: {}, bad lines: {}", report.records, report.bad_lines)];
    lines.extend(report.by_format.iter().map(|(format, count)| format!("format: {format} × {count}")));
    lines.extend((report.damaged > 0).then(|| format!("damaged: {}", report.damaged)));
    lines.extend(report.damage.iter().map(|(damage, tally)| format!("damage: {damage} × {}", tally.count)));
    lines.extend(report.kept.iter().map(|bad| format!("bad: {bad}")));
    lines.extend(report.notes.warnings.iter().map(|(warning, count)| format!("warning: {warning} × {count}")));
    lines.extend(
        report.remarks.iter().map(|(remark, tally)| format!("{remark} × {} (line {})", tally.count, tally.line)),
    );
    lines.extend(report.broken_sources.iter().map(|message| format!("broken: {message}")));
    lines.join("\n")
}
