//! One recorded exchange, as a row: everything but its texts, which are sealed beside it or left out.
//!
//! Promises that a sealed line comes out of a row byte for byte, so that its seal opens and its receipt holds.

use std::borrow::Cow;
use std::hash::Hasher;

use arrow_array::{Array, RecordBatch};
use exchange::{
    AccountId, Client, Exchange, ExchangeId, Fingerprint, Network, Notes, Operation, OrgId, Params, Request, Response,
    Time, Usage,
};
use store::segment::write_line;
use verify::sealed::Sealed;
use xxhash_rust::xxh3::Xxh3;

use crate::columns::{Building, Columns};

const NANOS_A_MICRO: i64 = 1000;
/// What a row takes besides its texts.
const ROW_BYTES: usize = 512;

/// Where a row was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The recorded file, by its name.
    pub file: Cow<'a, str>,
    /// The line, counted from 0.
    pub line: u64,
}

/// One exchange.
#[derive(Clone, Debug, PartialEq)]
pub struct Row<'a> {
    exchange: Exchange<'a>,
    sealed: Option<Sealed>,
    /// What stood in clear, where it is not what the exchange is written as.
    clear: Option<Cow<'a, [u8]>>,
    origin: Option<Origin<'a>>,
}

impl<'a> Row<'a> {
    /// An exchange; texts in it are left out.
    #[must_use]
    pub fn of(exchange: Exchange<'a>, origin: Option<Origin<'a>>) -> Row<'a> {
        let params = exchange.request.params;
        let request = Request { params, ..Request::default() };
        let bare = Exchange {
            key: None,
            end_user: None,
            session: None,
            request,
            response: Response::default(),
            fingerprint: exchange.fingerprint.as_ref().map(as_kept),
            ..exchange
        };
        Row { exchange: bare, sealed: None, clear: None, origin }
    }

    /// A sealed line, as [`verify::sealed::split`] takes it apart; nothing where what stands in clear is no exchange.
    #[must_use]
    pub fn of_sealed(clear: &[u8], sealed: Sealed, origin: Option<Origin<'a>>) -> Option<Row<'a>> {
        let object = [b"{", clear, b"}"].concat();
        let text = std::str::from_utf8(&object).ok()?;
        let mut shown = None;
        let mut see = |exchange: Exchange<'_>| shown = Some(exchange.into_owned());
        exchange::read_exchanges(text, &mut Notes::default(), &mut see).ok()?;
        let mut row = Row { sealed: Some(sealed), ..Row::of(shown?, origin) };
        let clear = (row.written() != clear).then(|| Cow::Owned(clear.to_vec()));
        row.clear = clear;
        Some(row)
    }

    /// The exchange, without its texts.
    #[must_use]
    pub fn exchange(&self) -> &Exchange<'a> {
        &self.exchange
    }

    /// The sealed texts.
    #[must_use]
    pub fn sealed(&self) -> Option<&Sealed> {
        self.sealed.as_ref()
    }

    /// Where it was recorded.
    #[must_use]
    pub fn origin(&self) -> Option<&Origin<'a>> {
        self.origin.as_ref()
    }

    /// What stood in clear beside the seal: the fields of an object, without its braces.
    #[must_use]
    pub fn clear(&self) -> Cow<'_, [u8]> {
        self.clear.as_deref().map_or_else(|| Cow::Owned(self.written()), Cow::Borrowed)
    }

    /// The recorded line, without its newline; of sealed rows only.
    #[must_use]
    pub fn line(&self) -> Option<Vec<u8>> {
        let sealed = self.sealed.as_ref()?;
        let mut line = Vec::new();
        write_line(&mut line, |line| sealed.write_line(&self.clear(), line));
        line.pop();
        Some(line)
    }

    /// The same, independent of what it was read from.
    #[must_use]
    pub fn into_owned(self) -> Row<'static> {
        Row {
            exchange: self.exchange.into_owned(),
            sealed: self.sealed,
            clear: self.clear.map(|clear| Cow::Owned(clear.into_owned())),
            origin: self.origin.map(|Origin { file, line }| Origin { file: Cow::Owned(file.into_owned()), line }),
        }
    }

    /// What rows are sorted by.
    #[must_use]
    pub fn order(&self) -> (Time, &str, &str) {
        (self.exchange.time, self.exchange.account.as_str(), self.exchange.id.as_str())
    }

    /// About how many bytes it has.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let fingerprint = self
            .exchange
            .fingerprint
            .as_ref()
            .map_or(0, |print| print.prints.len() + print.words.len() + print.output.len());
        ROW_BYTES
            + fingerprint
            + self.sealed.as_ref().map_or(0, |sealed| sealed.text.len())
            + self.clear.as_ref().map_or(0, |clear| clear.len())
    }

    /// What tells it from every other exchange.
    pub(crate) fn hash(&self) -> u128 {
        let (time, account, id) = self.order();
        let mut hash = Xxh3::new();
        hash.write_i64(time.nanos());
        hash.write_u64(account.len() as u64);
        hash.write(account.as_bytes());
        hash.write(id.as_bytes());
        hash.digest128()
    }

    /// The exchange as the fields of an object, without its braces.
    fn written(&self) -> Vec<u8> {
        let mut text = self.exchange.to_json().into_bytes();
        text.pop();
        text.drain(..1);
        text
    }

    pub(crate) fn push(&self, to: &mut Building) {
        let Exchange {
            id,
            time,
            account,
            org,
            operation,
            model,
            client,
            request,
            usage,
            status,
            duration_ms,
            fingerprint,
            ..
        } = &self.exchange;
        to.id.append_value(id.as_str());
        to.time.append_value(time.nanos().div_euclid(NANOS_A_MICRO));
        to.time_nanos.append_value(time.nanos().rem_euclid(NANOS_A_MICRO) as i32);
        to.account.append_value(account.as_str());
        to.org.append_option(org.as_ref().map(OrgId::as_str));
        to.operation.append_option(operation.map(Operation::name));
        to.model.append_option(model.as_deref());
        to.client_ip.append_option(client.ip.as_deref());
        to.client_asn.append_option(client.asn.map(i64::from));
        to.client_country.append_option(client.country.as_deref());
        to.client_network.append_option(client.network.map(Network::name));
        to.client_ja4.append_option(client.ja4.as_deref());
        to.client_ja4h.append_option(client.ja4h.as_deref());
        to.client_user_agent.append_option(client.user_agent.as_deref());
        let Params {
            temperature,
            top_p,
            max_tokens,
            n,
            logprobs,
            top_logprobs,
            logit_bias,
            echo,
            seed,
            stream,
            reasoning_effort,
        } = &request.params;
        to.temperature.append_option(*temperature);
        to.top_p.append_option(*top_p);
        to.max_tokens.append_option(max_tokens.map(i64::from));
        to.n.append_option(n.map(i64::from));
        to.logprobs.append_option(*logprobs);
        to.top_logprobs.append_option(top_logprobs.map(i64::from));
        to.logit_bias.append_option(*logit_bias);
        to.echo.append_option(*echo);
        to.seed.append_option(*seed);
        to.stream.append_option(*stream);
        to.reasoning_effort.append_option(reasoning_effort.as_deref());
        let tokens = |count: Option<u64>| count.and_then(|count| i64::try_from(count).ok());
        to.input_tokens.append_option(tokens(usage.input_tokens));
        to.output_tokens.append_option(tokens(usage.output_tokens));
        to.reasoning_tokens.append_option(tokens(usage.reasoning_tokens));
        to.cached_tokens.append_option(tokens(usage.cached_tokens));
        to.status.append_option(status.map(i32::from));
        to.duration_ms.append_option(*duration_ms);
        let print = fingerprint.as_ref();
        to.prints.append_option(print.map(|print| from_hex(&print.prints)));
        to.output_prints.append_option(print.map(|print| from_hex(&print.output)));
        to.words.append_option(print.map(|print| from_hex(&print.words)));
        to.meaning.append_option(print.map(|print| from_hex(&print.meaning)));
        for intent in print.into_iter().flat_map(|print| &print.intents) {
            to.intents.values().append_value(intent);
        }
        to.intents.append(print.is_some());
        to.follow_up.append_option(print.map(|print| print.follow_up));
        let sealed = self.sealed.as_ref();
        to.sealed_key.append_option(sealed.map(|sealed| &sealed.key));
        to.sealed_salt.append_option(sealed.map(|sealed| &sealed.salt));
        to.sealed_commitment.append_option(sealed.map(|sealed| &sealed.commitment));
        to.sealed_text.append_option(sealed.map(|sealed| &sealed.text));
        to.clear.append_option(self.clear.as_deref());
        to.file.append_option(self.origin.as_ref().map(|origin| origin.file.as_ref()));
        to.line.append_option(self.origin.as_ref().and_then(|origin| i64::try_from(origin.line).ok()));
    }
}

/// A fingerprint as it comes back out of its columns: digits that are none are left out.
fn as_kept<'a>(print: &Fingerprint<'_>) -> Fingerprint<'a> {
    let kept = |digits: &str| Cow::Owned(to_hex(&from_hex(digits)));
    Fingerprint {
        prints: kept(&print.prints),
        output: kept(&print.output),
        words: kept(&print.words),
        meaning: kept(&print.meaning),
        intents: print.intents.iter().map(|intent| Cow::Owned(intent.clone().into_owned())).collect(),
        follow_up: print.follow_up,
    }
}

fn from_hex(digits: &str) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = digits.as_bytes().iter().filter_map(digit).collect();
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| high << 4 | low).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The value of a column in a row.
macro_rules! at {
    ($columns:ident, $name:ident, $row:ident) => {
        $columns.$name.filter(|column| !column.is_null($row)).map(|column| column.value($row))
    };
}

/// What rows are ordered by: time, account, id.
pub(crate) type Key = (Time, Box<str>, Box<str>);

/// Rows as they were read.
pub struct Rows {
    batch: RecordBatch,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rows").field("count", &self.batch.num_rows()).finish()
    }
}

/// A column without a value where there has to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("row {row} has no `{column}`, or another kind of it")]
pub struct Missing {
    row: usize,
    column: &'static str,
}

impl Rows {
    pub(crate) fn new(batch: RecordBatch) -> Rows {
        Rows { batch }
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.batch.num_rows()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, counted from 0.
    pub(crate) fn get(&self, row: usize) -> Result<Row<'_>, Missing> {
        read(&Columns::of(&self.batch), row)
    }

    /// What one of them is ordered by.
    pub(crate) fn key(&self, row: usize) -> Result<Key, Missing> {
        let columns = Columns::of(&self.batch);
        let missing = |column| Missing { row, column };
        let account = at!(columns, account, row).ok_or(missing("account"))?;
        let id = at!(columns, id, row).ok_or(missing("id"))?;
        Ok((time(&columns, row)?, account.into(), id.into()))
    }

    /// Each row.
    ///
    /// # Errors
    ///
    /// Where a row has no id, time or account.
    pub fn each<E: From<Missing>>(&self, sink: &mut dyn FnMut(Row<'_>) -> Result<(), E>) -> Result<(), E> {
        let columns = Columns::of(&self.batch);
        for row in 0..self.batch.num_rows() {
            sink(read(&columns, row)?)?;
        }
        Ok(())
    }
}

fn read<'b>(columns: &Columns<'b>, row: usize) -> Result<Row<'b>, Missing> {
    let text = |text: Option<&'b str>| text.map(Cow::Borrowed);
    let missing = |column| Missing { row, column };
    let tokens = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
    let number = |count: Option<i64>| count.and_then(|count| u32::try_from(count).ok());
    let hex = |bytes: Option<&[u8]>| Cow::Owned(to_hex(bytes.unwrap_or_default()));
    let fingerprint = at!(columns, prints, row).map(|prints| Fingerprint {
        prints: hex(Some(prints)),
        output: hex(at!(columns, output_prints, row)),
        words: hex(at!(columns, words, row)),
        meaning: hex(at!(columns, meaning, row)),
        intents: columns
            .intents
            .filter(|column| !column.is_null(row))
            .map(|column| texts(column.value(row).as_ref()))
            .unwrap_or_default(),
        follow_up: at!(columns, follow_up, row).unwrap_or_default(),
    });
    let exchange = Exchange {
        id: ExchangeId::from(at!(columns, id, row).ok_or(missing("id"))?),
        time: time(columns, row)?,
        account: AccountId::from(at!(columns, account, row).ok_or(missing("account"))?),
        org: at!(columns, org, row).map(OrgId::from),
        key: None,
        end_user: None,
        session: None,
        operation: at!(columns, operation, row).map(Operation::named),
        model: text(at!(columns, model, row)),
        client: Client {
            ip: text(at!(columns, client_ip, row)),
            asn: number(at!(columns, client_asn, row)),
            country: text(at!(columns, client_country, row)),
            network: at!(columns, client_network, row).map(Network::named),
            ja4: text(at!(columns, client_ja4, row)),
            ja4h: text(at!(columns, client_ja4h, row)),
            user_agent: text(at!(columns, client_user_agent, row)),
        },
        request: Request {
            params: Params {
                temperature: at!(columns, temperature, row),
                top_p: at!(columns, top_p, row),
                max_tokens: number(at!(columns, max_tokens, row)),
                n: number(at!(columns, n, row)),
                logprobs: at!(columns, logprobs, row),
                top_logprobs: number(at!(columns, top_logprobs, row)),
                logit_bias: at!(columns, logit_bias, row),
                echo: at!(columns, echo, row),
                seed: at!(columns, seed, row),
                stream: at!(columns, stream, row),
                reasoning_effort: text(at!(columns, reasoning_effort, row)),
            },
            ..Request::default()
        },
        response: Response::default(),
        usage: Usage {
            input_tokens: tokens(at!(columns, input_tokens, row)),
            output_tokens: tokens(at!(columns, output_tokens, row)),
            reasoning_tokens: tokens(at!(columns, reasoning_tokens, row)),
            cached_tokens: tokens(at!(columns, cached_tokens, row)),
        },
        status: at!(columns, status, row).and_then(|status| u16::try_from(status).ok()),
        duration_ms: at!(columns, duration_ms, row),
        fingerprint,
    };
    let sealed = at!(columns, sealed_key, row).map(|key| {
        let bytes = |bytes: Option<&[u8]>| bytes.and_then(|bytes| bytes.try_into().ok());
        Ok(Sealed {
            key: key.to_owned(),
            salt: bytes(at!(columns, sealed_salt, row)).ok_or(missing("sealed_salt"))?,
            commitment: bytes(at!(columns, sealed_commitment, row)).ok_or(missing("sealed_commitment"))?,
            text: at!(columns, sealed_text, row).ok_or(missing("sealed_text"))?.to_vec(),
        })
    });
    let file = at!(columns, file, row);
    let line = at!(columns, line, row).and_then(|line| u64::try_from(line).ok());
    Ok(Row {
        exchange,
        sealed: sealed.transpose()?,
        clear: at!(columns, clear, row).map(Cow::Borrowed),
        origin: file.zip(line).map(|(file, line)| Origin { file: Cow::Borrowed(file), line }),
    })
}

fn time(columns: &Columns<'_>, row: usize) -> Result<Time, Missing> {
    let missing = |column| Missing { row, column };
    let micros = at!(columns, time, row).ok_or(missing("time"))?;
    let nanos = at!(columns, time_nanos, row).ok_or(missing("time_nanos"))?;
    let nanos = micros.checked_mul(NANOS_A_MICRO).and_then(|time| time.checked_add(i64::from(nanos)));
    nanos.map(Time::from_nanos).ok_or(missing("time"))
}

/// A list of texts.
fn texts<'t>(list: &dyn Array) -> Vec<Cow<'t, str>> {
    let list: Option<&arrow_array::StringArray> = list.as_any().downcast_ref();
    list.into_iter().flatten().flatten().map(|text| Cow::Owned(text.to_owned())).collect()
}
