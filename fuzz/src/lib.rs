//! What must hold of any input: no panic, no hang, and what was read is read again as it was.
//!
//! Each function is the body of the targets of its name. A broken promise is a panic, which the fuzzer reports.

use event::file::{HEAD_BYTES, Head, Writer};
use exchange::{
    AccountFact, Call, Exchange, Format, Joiner, Notes, ReadOptions, ReadReport, Source, parse_accounts, parse_chunk,
};

/// A text that claims to be of a format: whatever is read survives being written and read as a native record.
pub fn reader(format: &str, text: &str) {
    let format: Format = format.parse().expect("a format of this build");
    read_as(&ReadOptions::of(format), text.as_bytes());
    if Format::recognise(text).is_some() {
        recognised(text);
    }
}

/// A text whose format shows in it.
pub fn recognised(text: &str) {
    read_as(&ReadOptions::default(), text.as_bytes());
}

/// Rows of a table whose header the first byte chooses: read alike whatever the size of the chunks, and what is read
/// survives.
pub fn rows(bytes: &[u8]) {
    let Some((choice, rows)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let delimiter = DELIMITERS[choice / HEADERS.len() % DELIMITERS.len()];
    let table = [HEADERS[choice % HEADERS.len()].replace(',', delimiter).as_bytes(), b"\n", rows].concat();
    source(&table);
    report_of(&table, &mut |call, _| survives(&call.exchange));
}

/// Headers of tables that are known.
const HEADERS: [&str; 5] = [
    "time,account,model,messages,response",
    "timestamp,account,ip,request,response",
    "request_id,call_type,startTime,user,model,messages,response,spend",
    "id,trace_id,type,start_time,user_id,provided_model_name,input,output,metadata",
    "@timestamp,host,@message",
];
const DELIMITERS: [&str; 3] = [",", "\t", ";"];

/// Any bytes are mended as far as they go. As a prompt, escaped as a careless logger does, they never make the record
/// vanish, and what JSON does not allow is told as damage; so is a record whose end is missing.
pub fn mend(bytes: &[u8]) {
    read_as(&ReadOptions::default(), bytes);
    let Some((cut, prompt)) = bytes.split_first() else { return };
    let mut record = br#"{"time":1,"account":"a","request":{"messages":[{"role":"user","content":""#.to_vec();
    for byte in prompt {
        match byte {
            b'"' | b'\\' => record.extend([b'\\', *byte]),
            // A newline would be one between records.
            b'\n' => record.push(b' '),
            byte => record.push(*byte),
        }
    }
    record.extend(br#""}]}}"#);
    let is_strict =
        std::str::from_utf8(prompt).is_ok_and(|text| !text.bytes().any(|byte| byte < b' ' && byte != b'\n'));
    let mut read = 0;
    let whole = report_of(&record, &mut |call, _| {
        read += 1;
        assert_eq!(call.exchange.account.as_str(), "a");
        survives(&call.exchange);
    });
    assert_eq!((read, whole.bad_lines, whole.damaged), (1, 0, u64::from(!is_strict)));
    record.truncate(record.len() * usize::from(*cut) / 256);
    let mut left = 0;
    let broken = report_of(&record, &mut |call, _| {
        left += 1;
        survives(&call.exchange);
    });
    assert!(left <= 1 && broken.damaged == left, "what is cut is not told");
}

/// What is told of some bytes whose calls go to `sink`.
fn report_of(bytes: &[u8], sink: &mut dyn FnMut(Call<'_>, u64)) -> ReadReport {
    let mut report = ReadReport::default();
    for chunk in Source::new("fuzz", bytes).filter_map(Result::ok) {
        parse_chunk(&chunk, &ReadOptions::default(), sink, &mut report);
    }
    report
}

fn read_as(options: &ReadOptions, text: &[u8]) {
    let mut notes = Notes::default();
    let mut sink = |call: Call<'_>| survives(&call.exchange);
    let _ = exchange::read(options, text, "fuzz", 1, &mut notes, &mut sink);
}

/// Records in whatever order: no more exchanges come out than calls went in, and all that waited comes out at the end.
pub fn joined(bytes: &[u8]) {
    let (mut joiner, mut report) = (Joiner::default(), ReadReport::default());
    let (mut went_in, mut came_out) = (0_u64, 0_u64);
    for chunk in Source::new("fuzz", bytes) {
        let Ok(chunk) = chunk else { break };
        if chunk.text.len() > UNPACKED_BYTES_MAX {
            return;
        }
        let mut sink = |call: Call<'_>, line| {
            // An outer span is a call where nothing within it is one.
            went_in += u64::from(call.is_call || call.is_outer);
            joiner.push(call.into_owned(), &chunk.source, line, &mut |exchange| {
                came_out += 1;
                survives(&exchange);
            });
        };
        parse_chunk(&chunk, &ReadOptions::default(), &mut sink, &mut report);
    }
    joiner.finish(&mut |_| came_out += 1);
    assert!(came_out <= went_in, "{came_out} of {went_in} calls came out");
    assert_eq!(joiner.take_report().records, came_out);
    assert!(joiner.earliest().is_none(), "something still waits");
}

/// A text that claims to be an account fact: what is read survives being written and read.
pub fn account(text: &str) {
    let mut notes = Notes::default();
    let Ok(fact) = exchange::read_account(text.as_bytes(), &mut notes) else { return };
    let written = fact.to_json();
    let mut dropped = Notes::default();
    let again = exchange::read_account(written.as_bytes(), &mut dropped).map(|fact: AccountFact<'_>| fact.to_json());
    assert_eq!(again.as_ref(), Ok(&written));
    assert!(dropped.warnings.is_empty(), "{written} is written with {:?}", dropped.warnings);
}

/// Bytes that may be compressed: read alike whatever the size of the chunks, every record within its limit.
pub fn source(bytes: &[u8]) {
    let Some(whole) = read(bytes, exchange::limits::CHUNK_BYTES) else { return };
    for chunk_bytes in [1, 7, 64] {
        if let Some(pieces) = read(bytes, chunk_bytes) {
            assert_eq!(pieces, whole, "chunks of {chunk_bytes} bytes differ");
        }
    }
}

/// All that a source says; nothing where it unpacks to more than is worth the fuzzer's time.
fn read(bytes: &[u8], chunk_bytes: usize) -> Option<(Vec<String>, ReadReport, ReadReport)> {
    let (mut exchanges, mut report, mut accounts) = (Vec::new(), ReadReport::default(), ReadReport::default());
    let mut unpacked = 0;
    let mut source = Source::with_chunk_bytes("fuzz", bytes, chunk_bytes);
    let progress = source.progress();
    for chunk in source.by_ref() {
        match chunk {
            Ok(chunk) => {
                unpacked += chunk.text.len();
                if unpacked > UNPACKED_BYTES_MAX {
                    return None;
                }
                let mut sink = |call: Call<'_>, _| exchanges.push(call.exchange.to_json());
                parse_chunk(&chunk, &ReadOptions::default(), &mut sink, &mut report);
                parse_accounts(&chunk, None, &mut |_| (), &mut accounts);
            }
            Err(error) => report.source_broke(&error),
        }
    }
    assert!(progress.bytes() <= bytes.len() as u64);
    assert!(source.next().is_none(), "a source that ended goes on");
    Some((exchanges, report, accounts))
}

fn survives(exchange: &Exchange<'_>) {
    if exchange.account.as_str().is_empty() {
        // Waits for another record to say who it was.
        return;
    }
    let written = exchange.to_json();
    let mut again = Vec::new();
    let mut dropped = Notes::default();
    let mut sink = |call: Call<'_>| {
        assert_eq!(call.format, Format::Native, "{written}");
        again.push(call.exchange.to_json());
    };
    let read = exchange::read(&ReadOptions::default(), written.as_bytes(), "fuzz", 1, &mut dropped, &mut sink);
    assert_eq!(read, Ok(()), "{written}");
    assert_eq!(again, [written.as_str()]);
    assert!(dropped.warnings.is_empty(), "{written} is written with {:?}", dropped.warnings);
}

const UNPACKED_BYTES_MAX: usize = 1 << 20;

/// What is read as a block of events is within the limits of one, and is written again as it was read.
pub fn events(bytes: &[u8]) {
    let framed = |bytes: &[u8]| {
        let mut head = [0; HEAD_BYTES];
        head[..4].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(bytes).to_le_bytes());
        Head::read(head).and_then(|head| head.events(bytes))
    };
    let Ok(read) = framed(bytes) else { return };
    let mut writer = Writer::default();
    let mut again = Vec::new();
    for event in &read {
        assert!(event.prints.len() <= event::file::PRINTS_MAX && event.words.len() <= event::WORDS_MAX);
        again.extend(
            writer.push(event).expect("an event of a block").into_iter().flat_map(|block| block[HEAD_BYTES..].to_vec()),
        );
    }
    let last = writer.finish();
    again.extend_from_slice(last.get(HEAD_BYTES..).unwrap_or_default());
    assert_eq!(framed(&again).as_ref(), Ok(&read));
}

/// What reads a ledger's receipts, checkpoints, entries and statements: nothing is taken that was not signed, and what is read is written alike.
pub fn proofs(bytes: &[u8]) {
    use verify::checkpoint::Checkpoint;
    use verify::entry::Entry;
    use verify::hash::Hash;
    use verify::note::{Note, Scheme, VerifierKey};
    use verify::receipt::Receipt;
    use verify::sealed::RecordKey;
    use verify::timestamp::Authorities;
    use verify::trust::Trust;

    // The base point of the curve: nobody has signed anything with it.
    let mut public = [0x66; 32];
    public[0] = 0x58;
    let key = VerifierKey::new("evidence.example.com", Scheme::Ed25519, &public).unwrap();
    if let Ok(entry) = Entry::parse(bytes) {
        assert_eq!(entry.bytes(), bytes);
    }
    let _ = verify::statements::read(bytes, 0);
    if let Some((clear, sealed)) = verify::sealed::split(bytes) {
        // Nobody has sealed anything by this key.
        assert!(sealed.open(&RecordKey::new([9; 32]), clear).is_err());
        let mut line = Vec::new();
        sealed.write_line(clear, &mut line);
        // What stands in clear may look like a sum, which is none of it.
        let (again, same) = verify::sealed::split(&line).unwrap();
        assert!(clear.ends_with(again) && same == sealed);
    }
    let _ = verify::case::files(bytes);
    // Nobody vouches for anything where nobody is named.
    let stamp = verify::timestamp::check(bytes, &Hash::of_nothing(), &Authorities::default());
    assert!(stamp.is_err() || stamp.is_ok_and(|stamp| stamp.by.is_none()));
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let trust = Trust::new(key.clone(), Vec::new(), Authorities::default()).unwrap();
    assert!(verify::exhibit::check(text, &trust).is_err());
    if let Ok(receipt) = Receipt::parse(text) {
        assert_eq!(receipt.to_string(), text);
    }
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
    if let Ok(note) = Note::parse(text) {
        assert!(note.signed_by(&[key]).is_err());
    }
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    assert!(!verify::report::plain(text).chars().any(char::is_control));
}

/// What reads playbooks and deadlines: one that is read is walked through without an end that is missed, and steps that are to be done are steps of it.
pub fn playbooks(bytes: &[u8]) {
    use exchange::Time;
    use playbook::run::Done;
    use playbook::{Outcome, Playbook, Run, deadline};

    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(all) = deadline::read(text) {
        assert!(deadline::due(&all, Time::from_nanos(0)).len() <= all.len());
    }
    let Ok(playbook) = Playbook::read(text) else { return };
    let steps = playbook.in_order().len();
    let mut run = Run::begin(&playbook, String::new(), None, String::new(), Time::from_nanos(0));
    for turn in 0..100 {
        assert!(run.next().len() <= steps && run.next().iter().all(|step| playbook.step(step).is_some()));
        let Some(step) = run.next().first().map(|step| (*step).to_owned()) else { break };
        let outcome = if (bytes.len() + turn) % 3 == 0 { Outcome::Failed } else { Outcome::Done };
        let done = Done { step, outcome, by: String::new(), at: Time::from_nanos(0), note: String::new() };
        if run.step(&playbook, done).is_err() {
            break;
        }
    }
}
