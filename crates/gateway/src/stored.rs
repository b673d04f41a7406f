//! What servers keep for callers: files and batches.
//!
//! Promises that everybody meets their own only: whose a thing is stands in the database before its id is told, another's is
//! not found, and lists are made of what the database says. It is asked for at the server that keeps it. Requests of a batch
//! are decided on one by one when they are handed in, and again by what is allowed when the batch is made and when its results
//! are fetched; quotas are charged for all of them before, and settled when it is over. Each is recorded when the batch is
//! made; what came out of it is filtered, and not recorded.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited as LimitedBody};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::http::response::Parts as ReplyParts;
use hyper::{HeaderMap, Method, Response, StatusCode};
use policy::amount::Amounts;
use policy::quota::Asker;
use policy::who::Who;
use policy::{Action, Actions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use store::owned::Owned;
use tokio::time::timeout;

use crate::ask::Ask;
use crate::batch::{Batch, Made, Summary};
use crate::flight::Flight;
use crate::form::Form;
use crate::gate::{Pass, exchange_id, random};
use crate::headers::{passed_on, tidy};
use crate::limits::{
    BODY_BYTES_MAX, PAGE_ASKED_MAX, PAGE_MAX, PAGE_USUAL, STORED_ID_BYTES_MAX, STORED_REPLY_BYTES_MAX,
};
use crate::owners::{Listing, Owners};
use crate::record::{Decision, Seen};
use crate::refuse::Refusal;
use crate::relay::{Outward, Relay};
use crate::route::{Dialect, Kind, Operation, Route, is_plain, route};
use crate::shield::{self, Filter};
use crate::trust::Caller;
use crate::upstream::{NoReply, Outgoing, Reply, To, Upstreams};
use crate::worker::{Settings, Worker};

/// A request for something stored.
pub(crate) struct Asked<'a> {
    pub(crate) worker: &'a Worker,
    pub(crate) settings: &'a Settings,
    pub(crate) upstreams: Rc<Upstreams>,
    pub(crate) who: &'a Who,
    pub(crate) caller: Caller,
    pub(crate) head: &'a Parts,
    pub(crate) route: &'a Route,
    pub(crate) dialect: Dialect,
    pub(crate) now: exchange::Time,
    pub(crate) body: Bytes,
}

/// What is known of a file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum File {
    /// Something that a request may refer to.
    Any,
    /// Requests of a batch.
    Requests(Summary),
    /// What came out of a batch.
    ResultsOf(String),
}

/// What an answer about a batch tells; what is not as it should be is not told.
struct Told {
    files: Vec<String>,
    is_over: bool,
    answered: Option<u64>,
    tokens: Option<u64>,
}

impl Told {
    fn read(body: &[u8]) -> Result<Told, Refusal> {
        let told: Value = serde_json::from_slice(body).map_err(|_| Refusal::Failed)?;
        let text = |key: &str| told.get(key).and_then(Value::as_str);
        let count = |place: &str| told.pointer(place).and_then(Value::as_u64);
        let over = ["completed", "failed", "expired", "cancelled", "ended"];
        let files = ["output_file_id", "error_file_id"].into_iter().filter_map(text).map(str::to_owned);
        Ok(Told {
            files: files.collect(),
            is_over: text("processing_status").or_else(|| text("status")).is_some_and(|status| over.contains(&status)),
            answered: count("/request_counts/completed").or_else(|| count("/request_counts/succeeded")),
            tokens: count("/usage/total_tokens"),
        })
    }
}

/// Answers one.
pub(crate) async fn serve(asked: Asked<'_>, kind: Kind, operation: Operation) -> Result<Response<Outward>, Refusal> {
    let owners = asked.worker.shared.owners.clone().ok_or(Refusal::NotFound)?;
    let stored = Stored { asked, owners, kind };
    match (kind, operation) {
        (Kind::File, Operation::Create) => stored.upload().await,
        (Kind::Batch, Operation::Create) => stored.make_batch().await,
        (Kind::MessageBatch, Operation::Create) => stored.make_message_batch().await,
        (_, Operation::List) => stored.list().await,
        (_, Operation::Show | Operation::Cancel) => stored.tell().await,
        (_, Operation::Delete) => stored.delete().await,
        (_, Operation::Content) => stored.content().await,
    }
}

/// The server at which the files lie that a request of `account` refers to; none where it refers to none.
pub(crate) async fn server_of<'f>(
    owners: Option<&Owners>,
    files: impl IntoIterator<Item = &'f String>,
    account: &str,
) -> Result<Option<String>, Refusal> {
    let mut servers = BTreeSet::new();
    // It ends at the first that is not the account's, so there are never more questions than an account may have files.
    for id in files.into_iter().collect::<BTreeSet<_>>() {
        let file = owners.ok_or(Refusal::NotFound)?.find(Kind::File, id, account).await?;
        if matches!(details(&file)?, File::ResultsOf(_)) {
            // A model would read what is taken out of it for the caller.
            return Err(Refusal::Bad("What came out of a batch cannot be used in a request.".to_owned()));
        }
        servers.insert(file.server);
    }
    if servers.len() > 1 {
        return Err(Refusal::Bad("The files of this request cannot be used together.".to_owned()));
    }
    Ok(servers.pop_first())
}

struct Stored<'a> {
    asked: Asked<'a>,
    owners: Owners,
    kind: Kind,
}

impl Stored<'_> {
    /// A file that is handed in.
    async fn upload(self) -> Result<Response<Outward>, Refusal> {
        let mut pass = self.allow(Actions::NONE.with(Action::Infer))?;
        let mut form = Form::read(&self.asked.head.headers, &self.asked.body).await.map_err(bad)?;
        let purpose = form.text("purpose").unwrap_or_default().to_owned();
        if purpose.is_empty() && self.asked.dialect == Dialect::OpenAi {
            return Err(Refusal::Bad("The form has no field `purpose`.".to_owned()));
        }
        let (mut file, mut server) = (File::Any, None);
        if purpose == "batch" {
            let batch = Batch::of_lines(&form.file).await.map_err(bad)?;
            let (summary, permitted) = self.decide(&batch).await?;
            server = self.server_of_batch(&batch).await?;
            form.file = batch.lines(&form.file, summary.held, self.asked.settings.caps).await.map_err(bad)?;
            (file, pass) = (File::Requests(summary), permitted);
        }
        // The requests within are counted, and recorded, when a batch is made of them.
        self.charge(&pass)?;
        let (kind, body) = form.write(random()?).ok_or(Refusal::Failed)?;
        let mut outgoing = self.outgoing(Method::POST, self.asked.route.path.clone(), body);
        outgoing.headers.insert(CONTENT_TYPE, kind);
        let model = match &file {
            File::Requests(summary) => summary.models.keys().next().cloned(),
            _ => None,
        };
        let to = To::of(server.as_deref(), model.as_deref());
        let answer = self.send(&pass, to, &outgoing).await?;
        if let Some(id) = answer.made()? {
            self.own(&pass, &answer, &id, &purpose, false, &file).await?;
        }
        Ok(answer.pass_on())
    }

    /// A batch of the requests in a file.
    async fn make_batch(self) -> Result<Response<Outward>, Refusal> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted<'a> {
            input_file_id: String,
            endpoint: String,
            #[serde(rename = "completion_window")]
            _window: Option<String>,
            #[serde(borrow, rename = "metadata")]
            _metadata: Option<&'a RawValue>,
            #[serde(borrow, rename = "output_expires_after")]
            _expires: Option<&'a RawValue>,
        }
        self.allow(self.action())?;
        let wanted: Wanted<'_> = serde_json::from_slice(&self.asked.body).map_err(bad)?;
        let input = self.owners.find(Kind::File, &wanted.input_file_id, self.account()).await?;
        let File::Requests(summary) = details(&input)? else {
            return Err(Refusal::Bad("The file was not handed in with the purpose `batch`.".to_owned()));
        };
        if wanted.endpoint != summary.endpoint {
            return Err(Refusal::Bad(format!("The requests in the file are for `{}`.", summary.endpoint)));
        }
        let (held, pass) = self.held_by(summary.asks())?;
        if !held.minus(summary.held).is_empty() {
            let what = "What you may ask for has changed since the file was handed in. Hand it in again.";
            return Err(Refusal::Bad(what.to_owned()));
        }
        let batch = self.requests_in(&pass, &input).await?;
        let outgoing = self.outgoing(Method::POST, self.asked.route.path.clone(), self.asked.body.clone());
        self.make(&batch, summary, &pass, To::Server(&input.server), &outgoing).await
    }

    /// The requests in a file, to be recorded, from the server that keeps it. What cannot be recorded is not asked.
    async fn requests_in(&self, pass: &Pass, file: &Owned) -> Result<Batch, Refusal> {
        let outgoing = self.outgoing(Method::GET, format!("/v1/files/{}/content", file.id), Bytes::new());
        let reply = self.asked.upstreams.send(pass.permit(), To::Server(&file.server), &outgoing).await?;
        let answer = Answer::read(reply, BODY_BYTES_MAX).await?;
        if !answer.is_success() {
            return Err(Refusal::Unavailable);
        }
        Batch::of_lines(&answer.body).await.map_err(|_| Refusal::Failed)
    }

    /// A batch of messages.
    async fn make_message_batch(self) -> Result<Response<Outward>, Refusal> {
        let batch = Batch::of_messages(&self.asked.body).await.map_err(bad)?;
        let (summary, pass) = self.decide(&batch).await?;
        let server = self.server_of_batch(&batch).await?;
        let body = batch.messages(&self.asked.body, summary.held, self.asked.settings.caps).await.map_err(bad)?;
        let outgoing = self.outgoing(Method::POST, self.asked.route.path.clone(), body);
        let model = summary.models.keys().next().cloned();
        let to = To::of(server.as_deref(), model.as_deref());
        self.make(&batch, summary, &pass, to, &outgoing).await
    }

    /// Has a batch made, with what it may take reserved, and records its requests.
    async fn make(
        &self,
        batch: &Batch,
        summary: Summary,
        pass: &Pass,
        to: To<'_>,
        outgoing: &Outgoing,
    ) -> Result<Response<Outward>, Refusal> {
        let Asked { worker, who, now, .. } = &self.asked;
        let gate = &worker.shared.gate;
        let reserved = gate.reserve(who, pass, summary.may_take(), *now)?;
        let limits = reserved.limits().cloned().collect();
        let reply = self.asked.upstreams.send(pass.permit(), to, outgoing).await;
        let reply = match reply {
            Ok(reply) => reply,
            // It may be at work on it.
            Err(failure @ NoReply::TooSlow { .. }) => return Err(failure.into()),
            Err(failure) => {
                gate.quotas().give_back(reserved);
                return Err(failure.into());
            }
        };
        if !reply.response.status().is_success() {
            gate.quotas().give_back(reserved);
            return Ok(self.read(reply).await?.pass_on());
        }
        // From here on it stays charged until it is over, also when nothing more is heard of it; whoever finds it over settles
        // it, maybe in another process.
        drop(reserved);
        let answer = self.read(reply).await?;
        let id = answer.made()?.ok_or(Refusal::Failed)?;
        let held = summary.held;
        let made = Made { summary, credential: who.credential.name().to_owned(), reserved: *now, limits };
        let thing = self.own(pass, &answer, &id, "", true, &made).await?;
        self.heard_of(pass, &thing, &answer).await?;
        self.record(batch, held, pass).await?;
        Ok(answer.pass_on())
    }

    /// Which there are, by what the database says, each as its server tells it.
    async fn list(self) -> Result<Response<Outward>, Refusal> {
        #[derive(Serialize)]
        struct Page<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            object: Option<&'static str>,
            data: Vec<Box<RawValue>>,
            first_id: Option<&'a str>,
            last_id: Option<&'a str>,
            has_more: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_page: Option<&'a str>,
        }
        let pass = self.allow(self.action())?;
        let Query { count, after, before, purpose, oldest_first } = Query::read(self.asked.head.uri.query())?;
        // It costs as many requests to servers as there are things.
        self.charge(&pass)?;
        let is_before = before.is_some();
        let listing = Listing {
            kind: self.kind,
            account: self.account().to_owned(),
            purpose,
            behind: after.or(before),
            oldest_first: oldest_first || is_before,
            count: PAGE_ASKED_MAX + 1,
        };
        let things = self.owners.list(listing).await?;
        let mut told: Vec<(&str, Box<RawValue>)> = Vec::new();
        let mut asked = 0;
        for thing in things.iter().take(PAGE_ASKED_MAX as usize) {
            if told.len() >= count as usize {
                break;
            }
            asked += 1;
            // What its server does not tell now, or a server keeps that is no longer there, is left out, and is not forgotten.
            if let Some(one) = self.told_of(&pass, thing).await? {
                told.push((&thing.id, one));
            }
        }
        let has_more = things.len() > asked;
        // Where a page is behind the last one looked at, none is passed over.
        let last_looked_at = things.get(asked.wrapping_sub(1)).map(|thing| thing.id.as_str());
        let mut last_id = if has_more { last_looked_at } else { told.last().map(|(id, _)| *id) };
        let mut first_id = told.first().map(|(id, _)| *id);
        if is_before {
            told.reverse();
            (first_id, last_id) = (last_id, first_id);
        }
        let is_anthropic = self.asked.dialect == Dialect::Anthropic;
        let page = Page {
            object: (!is_anthropic).then_some("list"),
            first_id,
            last_id,
            has_more,
            next_page: last_id.filter(|_| is_anthropic && has_more && !is_before),
            data: told.into_iter().map(|(_, one)| one).collect(),
        };
        let body = serde_json::to_vec(&page).map_err(|_| Refusal::Failed)?;
        let mut response = Response::new(Outward::Whole(Some(body.into())));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    /// What a thing's server tells of it; none where it is not there.
    async fn told_of(&self, pass: &Pass, thing: &Owned) -> Result<Option<Box<RawValue>>, Refusal> {
        let path = format!("{}/{}", self.asked.route.path, thing.id);
        let outgoing = self.outgoing(Method::GET, path, Bytes::new());
        let answer = match self.send(pass, To::Server(&thing.server), &outgoing).await {
            Ok(answer) => answer,
            Err(Refusal::NotFound) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        if answer.head.status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(Refusal::Unavailable);
        }
        if self.kind != Kind::File {
            match self.heard_of(pass, thing, &answer).await {
                // A look at it alone says that its server has failed; the others are none the worse for it.
                Err(Refusal::Failed) => return Ok(None),
                heard => heard?,
            }
        }
        Ok(serde_json::from_slice(&answer.body).ok())
    }

    /// How one is, or that it is to stop.
    async fn tell(self) -> Result<Response<Outward>, Refusal> {
        let pass = self.allow(self.action())?;
        let thing = self.own_thing().await?;
        let outgoing =
            self.outgoing(self.asked.head.method.clone(), self.asked.route.path.clone(), self.asked.body.clone());
        let answer = self.send(&pass, To::Server(&thing.server), &outgoing).await?;
        if answer.is_success() && self.kind != Kind::File {
            self.heard_of(&pass, &thing, &answer).await?;
        }
        Ok(answer.pass_on())
    }

    /// Notes what an answer about a batch tells: whose its files are, and that it is over.
    async fn heard_of(&self, pass: &Pass, thing: &Owned, answer: &Answer) -> Result<(), Refusal> {
        let told = Told::read(&answer.body)?;
        for id in &told.files {
            let file = File::ResultsOf(thing.id.clone());
            self.own_file(&answer.server, id, &file).await?;
        }
        if thing.open && told.is_over && self.owners.close(self.kind, &thing.id).await? {
            let made: Made = details(thing)?;
            // Those of the time at which it was made: a response that is over by now was counted for.
            let budgets = self.asked.who.responses.budgets(made.reserved);
            let (account, credential) = (&self.asked.who.account, made.credential.as_str());
            let asker = Asker { account, credential, permit: pass.permit(), budgets: &budgets };
            let quotas = self.asked.worker.shared.gate.quotas();
            let reserved = quotas.reserved_before(&asker, made.summary.may_take(), made.reserved, &made.limits);
            quotas.settle(reserved, made.summary.took(told.tokens, told.answered), self.asked.now);
        }
        Ok(())
    }

    async fn delete(self) -> Result<Response<Outward>, Refusal> {
        let pass = self.allow(self.action())?;
        let thing = self.own_thing().await?;
        let outgoing = self.outgoing(Method::DELETE, self.asked.route.path.clone(), Bytes::new());
        let answer = self.send(&pass, To::Server(&thing.server), &outgoing).await?;
        if answer.is_success() || answer.head.status == StatusCode::NOT_FOUND {
            self.owners.disown(self.kind, &thing.id).await?;
        }
        Ok(answer.pass_on())
    }

    /// What is in a file, or came out of a batch.
    async fn content(self) -> Result<Response<Outward>, Refusal> {
        let mut pass = self.allow(self.action())?;
        let thing = self.own_thing().await?;
        let batch = match self.kind {
            Kind::MessageBatch => Some(thing.clone()),
            _ => match details(&thing)? {
                File::ResultsOf(batch) => Some(self.owners.find(Kind::Batch, &batch, self.account()).await?),
                File::Any | File::Requests(_) => None,
            },
        };
        let mut filter = None;
        if let Some(batch) = batch {
            let made: Made = details(&batch)?;
            let (held, permitted) = self.held_by(made.summary.asks())?;
            let call = route(&Method::POST, &made.summary.endpoint, &[]).map_err(|_| Refusal::Failed)?.call;
            if shield::is_of_replies(held, call) {
                let hold = made.summary.hold(held, self.asked.settings.caps);
                filter = Some(Filter::of_results(call, hold));
            }
            pass = permitted;
        }
        let outgoing = self.outgoing(Method::GET, self.asked.route.path.clone(), Bytes::new());
        let reply = self.asked.upstreams.send(pass.permit(), To::Server(&thing.server), &outgoing).await?;
        let Reply { response, lease } = reply;
        let (mut head, body) = response.into_parts();
        tidy(&mut head.headers);
        let filter = filter.filter(|_| head.status.is_success());
        if filter.is_some() {
            if head.headers.contains_key(CONTENT_ENCODING) {
                // What cannot be read cannot be filtered.
                return Err(Refusal::Failed);
            }
            head.headers.remove(CONTENT_LENGTH);
        }
        let Asked { worker, .. } = &self.asked;
        let flight = Flight::new(None, None, worker.tap.clone(), Arc::clone(&worker.shared.stats));
        Ok(Response::from_parts(head, Outward::Relay(Relay::new(body, lease, flight, filter))))
    }

    // What the above are made of.

    fn account(&self) -> &str {
        self.asked.who.account.id.as_str()
    }

    fn action(&self) -> Actions {
        Actions::NONE.with(self.asked.route.call.action()).with(Action::Infer)
    }

    fn allow(&self, wanted: Actions) -> Result<Pass, Refusal> {
        self.allow_ask(&Ask { wanted, ..Ask::default() })
    }

    fn allow_ask(&self, ask: &Ask) -> Result<Pass, Refusal> {
        let Asked { worker, who, route, now, .. } = &self.asked;
        worker.shared.gate.allow(who, route.call, ask, *now)
    }

    /// Decides on each request of a batch; the pass is for all of them.
    async fn decide(&self, batch: &Batch) -> Result<(Summary, Pass), Refusal> {
        let settings = self.asked.settings;
        let (held, pass) = self.held_by(batch.wanted().into_values())?;
        let price = |model: &str| settings.price(model, &self.asked.worker.shared.stats);
        let summary = batch.summary(held, settings.caps, price, |model| settings.is_thinking(model)).await;
        Ok((summary.map_err(bad)?, pass))
    }

    /// What is held back of any of these; the pass is for the last one.
    fn held_by(&self, asks: impl Iterator<Item = Ask>) -> Result<(Actions, Pass), Refusal> {
        let (mut held, mut last) = (Actions::NONE, None);
        for ask in asks {
            let pass = self.allow_ask(&ask)?;
            held = held.or(pass.held());
            last = Some(pass);
        }
        Ok((held, last.ok_or(Refusal::Failed)?))
    }

    /// Where the files lie that the requests of a batch refer to.
    async fn server_of_batch(&self, batch: &Batch) -> Result<Option<String>, Refusal> {
        let files = batch.requests.iter().flat_map(|one| &one.ask.files);
        server_of(Some(&self.owners), files, self.account()).await
    }

    /// Charges a request for something stored.
    fn charge(&self, pass: &Pass) -> Result<(), Refusal> {
        let Asked { worker, who, now, .. } = &self.asked;
        let gate = &worker.shared.gate;
        let one = Amounts { micro_cost: Some(0), ..Amounts::default() };
        let reserved = gate.reserve(who, pass, one, *now)?;
        gate.quotas().settle(reserved, one, *now);
        Ok(())
    }

    /// The thing that the path names, which the asker owns.
    async fn own_thing(&self) -> Result<Owned, Refusal> {
        let mut parts = self.asked.route.path.split('/').skip(3);
        if self.kind == Kind::MessageBatch {
            parts.next();
        }
        let id = parts.next().filter(|id| id.len() <= STORED_ID_BYTES_MAX).ok_or(Refusal::NotFound)?;
        self.owners.find(self.kind, id, self.account()).await
    }

    fn outgoing(&self, method: Method, path: String, body: Bytes) -> Outgoing {
        let Asked { head, settings, dialect, .. } = &self.asked;
        let mut headers: HeaderMap = passed_on(&head.headers, &settings.passed, self.account());
        if body.is_empty() {
            headers.remove(CONTENT_TYPE);
        }
        let repeatable = method != Method::POST;
        Outgoing { method, path, headers, body, dialect: *dialect, repeatable }
    }

    /// Sends a request whose answer is read as a whole.
    async fn send(&self, pass: &Pass, to: To<'_>, outgoing: &Outgoing) -> Result<Answer, Refusal> {
        let reply = self.asked.upstreams.send(pass.permit(), to, outgoing).await?;
        self.read(reply).await
    }

    async fn read(&self, reply: Reply) -> Result<Answer, Refusal> {
        let mut answer = Answer::read(reply, STORED_REPLY_BYTES_MAX).await?;
        if self.kind == Kind::MessageBatch && answer.is_success() {
            self.put_own_results_url(&mut answer)?;
        }
        Ok(answer)
    }

    /// Puts this gateway's URL in place of that at which a server would have the results fetched: a client would go there, and
    /// show its key.
    fn put_own_results_url(&self, answer: &mut Answer) -> Result<(), Refusal> {
        let mut told: Value = serde_json::from_slice(&answer.body).map_err(|_| Refusal::Failed)?;
        let id = told.get("id").and_then(|id| id.as_str()).unwrap_or_default();
        let here = self.asked.worker.shared.gate.origin().unwrap_or_default();
        let here = format!("{here}/v1/messages/batches/{id}/results");
        if let Some(url) = told.get_mut("results_url").filter(|url| !url.is_null()) {
            *url = here.into();
            answer.body = told.to_string().into();
            answer.head.headers.remove(CONTENT_LENGTH);
        }
        Ok(())
    }

    /// Puts down that the asker owns what was made; where that cannot be, what was made is undone.
    async fn own(
        &self,
        pass: &Pass,
        answer: &Answer,
        id: &str,
        purpose: &str,
        open: bool,
        details: &impl Serialize,
    ) -> Result<Owned, Refusal> {
        let owned = self.owned(self.kind, &answer.server, id, purpose, open, details)?;
        if let Err(refusal) = self.owners.own(owned.clone()).await {
            // What is another's stays as it is, whatever server gives out its id again.
            if refusal == Refusal::Failed {
                return Err(refusal);
            }
            let (method, path) = match self.kind {
                Kind::File => (Method::DELETE, format!("/v1/files/{id}")),
                Kind::Batch | Kind::MessageBatch => (Method::POST, format!("{}/{id}/cancel", self.asked.route.path)),
            };
            let outgoing = self.outgoing(method, path, Bytes::new());
            // Nobody can be told of it any more; that it stays there harms nobody but the server's disk.
            let _ = self.send(pass, To::Server(&answer.server), &outgoing).await;
            return Err(refusal);
        }
        Ok(owned)
    }

    /// Puts down that the asker owns what came out of a batch.
    async fn own_file(&self, server: &str, id: &str, file: &File) -> Result<(), Refusal> {
        if !is_id(id) {
            return Err(Refusal::Failed);
        }
        match self.owners.find(Kind::File, id, self.account()).await {
            Ok(_) => Ok(()),
            Err(Refusal::NotFound) => {
                self.owners.own(self.owned(Kind::File, server, id, "batch_output", false, file)?).await
            }
            Err(refusal) => Err(refusal),
        }
    }

    fn owned(
        &self,
        kind: Kind,
        server: &str,
        id: &str,
        purpose: &str,
        open: bool,
        details: &impl Serialize,
    ) -> Result<Owned, Refusal> {
        Ok(Owned {
            kind: kind.name().to_owned(),
            id: id.to_owned(),
            account: self.account().to_owned(),
            server: server.to_owned(),
            purpose: purpose.to_owned(),
            created: self.asked.now.nanos(),
            open,
            details: serde_json::to_string(details).map_err(|_| Refusal::Failed)?,
        })
    }

    /// Records each request of a batch.
    async fn record(&self, batch: &Batch, held: Actions, pass: &Pass) -> Result<(), Refusal> {
        let Asked { worker, who, caller, head, now, .. } = &self.asked;
        let endpoint = batch.endpoint.as_str();
        for one in &batch.requests {
            let mut seen =
                Seen::begun(exchange_id()?, who, Some(caller.clone()), &head.headers, endpoint, one.body.clone(), *now);
            seen.status = StatusCode::ACCEPTED.as_u16();
            seen.decision = Decision { held, ..Decision::of(pass) };
            worker.tap.offer(Box::new(seen));
            // Who records gets a turn, so that there is room for all of them.
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// An answer that was read as a whole.
struct Answer {
    head: ReplyParts,
    body: Bytes,
    /// Which server gave it.
    server: String,
}

impl Answer {
    async fn read(reply: Reply, bytes_max: usize) -> Result<Answer, Refusal> {
        let Reply { response, mut lease } = reply;
        let (mut head, body) = response.into_parts();
        tidy(&mut head.headers);
        let server = lease.server().to_owned();
        let (patience, body) = (lease.pause_time_max(), LimitedBody::new(body, bytes_max));
        let collected = timeout(patience, lease.drive(body.collect())).await.map_err(|_| Refusal::Timeout)?;
        let body = collected.map_err(|_| Refusal::Unavailable)?.to_bytes();
        lease.give_back();
        Ok(Answer { head, body, server })
    }

    fn is_success(&self) -> bool {
        self.head.status.is_success()
    }

    /// The id of what was made, if anything was.
    fn made(&self) -> Result<Option<String>, Refusal> {
        if !self.is_success() {
            return Ok(None);
        }
        #[derive(Deserialize)]
        struct Made {
            id: String,
        }
        let Made { id } = serde_json::from_slice(&self.body).map_err(|_| Refusal::Failed)?;
        if is_id(&id) { Ok(Some(id)) } else { Err(Refusal::Failed) }
    }

    fn pass_on(self) -> Response<Outward> {
        Response::from_parts(self.head, Outward::Whole(Some(self.body)))
    }
}

/// Whether a server may call something so.
fn is_id(id: &str) -> bool {
    id.len() <= STORED_ID_BYTES_MAX && is_plain(id)
}

fn details<T: for<'de> Deserialize<'de>>(thing: &Owned) -> Result<T, Refusal> {
    serde_json::from_str(&thing.details).map_err(|_| Refusal::Failed)
}

fn bad(error: impl std::fmt::Display) -> Refusal {
    Refusal::Bad(error.to_string())
}

/// Which page of a list is asked for, in the words of both APIs.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    count: u32,
    after: Option<String>,
    before: Option<String>,
    purpose: Option<String>,
    oldest_first: bool,
}

impl Query {
    fn read(query: Option<&str>) -> Result<Query, Refusal> {
        let mut read = Query { count: PAGE_USUAL, after: None, before: None, purpose: None, oldest_first: false };
        for part in query.unwrap_or_default().split('&').filter(|part| !part.is_empty()) {
            let bad = || Refusal::Bad(format!("The query has `{}`, which is not understood.", part.escape_default()));
            let (name, value) = part.split_once('=').ok_or_else(bad)?;
            if value.is_empty() {
                continue;
            }
            if !is_plain(value) {
                return Err(bad());
            }
            match (name, value) {
                ("limit", count) => {
                    // One API takes up to 10,000 here; what is not on this page is on the next.
                    read.count = count.parse::<u32>().ok().filter(|count| *count > 0).ok_or_else(bad)?.min(PAGE_MAX);
                }
                ("after" | "after_id" | "page", id) => read.after = Some(id.to_owned()),
                ("before_id", id) => read.before = Some(id.to_owned()),
                ("purpose", purpose) => read.purpose = Some(purpose.to_owned()),
                ("order", "asc") => read.oldest_first = true,
                ("order", "desc") | ("beta", _) => {}
                _ => return Err(bad()),
            }
        }
        if read.after.is_some() && read.before.is_some() {
            return Err(Refusal::Bad("A page is behind one thing or before one, not both.".to_owned()));
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_limit_and_no_letters_that_a_path_reads_otherwise() {
        let long = "i".repeat(STORED_ID_BYTES_MAX);
        assert!(is_id(&long) && is_id("file-1") && is_id("msgbatch_1"));
        for bad in [&format!("{long}i"), "", "..", "a/b", "a?b", "%2e", "a b"] {
            assert!(!is_id(bad), "{bad}");
        }
    }

    #[test]
    fn a_page_is_asked_for_in_the_words_of_both_apis() {
        let usual = || Query { count: PAGE_USUAL, after: None, before: None, purpose: None, oldest_first: false };
        for (query, expected) in [
            (None, usual()),
            (Some("limit=1&after=f_1"), Query { count: 1, after: Some("f_1".to_owned()), ..usual() }),
            (Some("limit=101&before_id=f"), Query { count: PAGE_MAX, before: Some("f".to_owned()), ..usual() }),
            (
                Some("order=asc&purpose=batch"),
                Query { oldest_first: true, purpose: Some("batch".to_owned()), ..usual() },
            ),
        ] {
            assert_eq!(Query::read(query), Ok(expected), "{query:?}");
        }
        for query in ["limit=0", "limit=-1", "limit=x", "after", "after=%41", "account=x", "after=a&before_id=b"] {
            assert!(Query::read(Some(query)).is_err(), "{query}");
        }
    }
}
