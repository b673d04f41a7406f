//! Forms that bring files: read as they come, and bounded.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{FromRequest as _, Multipart, Request};
use axum::http::StatusCode;
use report::words::grouped;
use tokio::sync::Mutex;
use tokio_stream::Stream;
use zeroize::Zeroizing;

use crate::fault::Fault;
use crate::hunt::Sent;
use crate::limits::{FIELD_BYTES_MAX, FIELDS_MAX, FILE_NAME_CHARS_MAX, FILES_MAX, UPLOAD_OVERHEAD_MAX};

/// A form with files, whose first field was looked at.
#[derive(Clone)]
pub(crate) struct Upload {
    multipart: Arc<Mutex<Multipart>>,
    flow: Arc<Flow>,
}

/// How much of a form came, and how much of that was in a file or a field. What is between waits in memory.
#[derive(Default)]
struct Flow {
    came: AtomicU64,
    taken: AtomicU64,
}

impl Flow {
    fn take(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

/// The body of a form, that ends where too much of it waits.
struct Watched {
    body: BodyDataStream,
    flow: Arc<Flow>,
    /// Bytes since whoever reads it was last made to look at them.
    unseen: usize,
}

/// What came so far is looked at after so many bytes.
const LOOK_BYTES: usize = 256 * 1024;

impl Stream for Watched {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.unseen >= LOOK_BYTES {
            self.unseen = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Some(next) = ready!(Pin::new(&mut self.body).poll_next(context)) else { return Poll::Ready(None) };
        let bytes = next.map_err(std::io::Error::other)?;
        self.unseen += bytes.len();
        let came = self.flow.came.fetch_add(bytes.len() as u64, Ordering::Relaxed) + bytes.len() as u64;
        let waiting = came.saturating_sub(self.flow.taken.load(Ordering::Relaxed));
        if waiting > UPLOAD_OVERHEAD_MAX {
            let why = format!("at most {UPLOAD_OVERHEAD_MAX} bytes may be in no file and no field");
            return Poll::Ready(Some(Err(std::io::Error::other(why))));
        }
        Poll::Ready(Some(Ok(bytes)))
    }
}

/// The fields of a form that are no files, by their names.
pub(crate) type Fields = BTreeMap<String, String>;

impl Upload {
    /// A form, and the token that its first field is.
    pub(crate) async fn begun(request: Request) -> Result<(Upload, Option<Zeroizing<String>>), Fault> {
        let is_form = |rejection: MultipartRejection| Fault::new(rejection.status(), rejection.body_text());
        let flow = Arc::new(Flow::default());
        let (parts, body) = request.into_parts();
        let watched = Watched { body: body.into_data_stream(), flow: Arc::clone(&flow), unseen: 0 };
        let request = Request::from_parts(parts, Body::from_stream(watched));
        let mut multipart = Multipart::from_request(request, &()).await.map_err(is_form)?;
        let token = match multipart.next_field().await? {
            Some(field) if field.name() == Some("csrf") => Some(Zeroizing::new(text(field, &flow).await?)),
            _ => None,
        };
        Ok((Upload { multipart: Arc::new(Mutex::new(multipart)), flow }, token))
    }

    /// Reads it to its end: files named `log` and `facts` go where `into` is, and all other fields are handed back.
    /// The files have at most `most` bytes together.
    pub(crate) async fn save(self, into: &mut Sent, most: u64) -> Result<Fields, Fault> {
        let Upload { multipart, flow } = self;
        let mut multipart = multipart.lock().await;
        let (mut fields, mut left) = (Fields::new(), most);
        while let Some(mut field) = multipart.next_field().await? {
            let name = field.name().unwrap_or_default().to_owned();
            let Some(file_name) = field.file_name().map(str::to_owned) else {
                if fields.len() >= FIELDS_MAX {
                    return Err(Fault::bad(format!("expected at most {FIELDS_MAX} fields")));
                }
                fields.insert(name, text(field, &flow).await?);
                continue;
            };
            // A browser sends a file without a name where none was chosen.
            if file_name.is_empty() {
                continue;
            }
            let saved = saved_name(&file_name, into);
            match name.as_str() {
                "log" if into.logs.len() < FILES_MAX => into.logs.push(saved.clone()),
                "log" => return Err(Fault::bad(format!("`log`: expected at most {FILES_MAX} files"))),
                "facts" if into.facts.is_none() => into.facts = Some(saved.clone()),
                _ => return Err(Fault::bad(format!("`{name}`: expected one file `facts`, or files `log`"))),
            }
            let mut file = into.file(&saved).map_err(unwritten)?;
            while let Some(chunk) = field.chunk().await? {
                flow.take(chunk.len());
                left = left.checked_sub(chunk.len() as u64).ok_or_else(|| too_long(most))?;
                // Some tens of kilobytes at a time, which a disk takes at once.
                file.write_all(&chunk).map_err(unwritten)?;
            }
        }
        Ok(fields)
    }
}

fn too_long(most: u64) -> Fault {
    let message = format!("expected files of at most {} bytes together; nothing was kept", grouped(most));
    Fault::new(StatusCode::PAYLOAD_TOO_LARGE, message)
}

fn unwritten(error: std::io::Error) -> Fault {
    Fault::new(StatusCode::INSUFFICIENT_STORAGE, format!("the files cannot be written, and nothing was kept: {error}"))
}

/// A field that is no file.
async fn text(mut field: Field<'_>, flow: &Flow) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await? {
        flow.take(chunk.len());
        if bytes.len() + chunk.len() > FIELD_BYTES_MAX {
            let message = format!("expected fields of at most {FIELD_BYTES_MAX} bytes");
            return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, message));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| Fault::bad("expected fields in UTF-8"))
}

/// What a file is called here: its own name as far as that is plain, and never one that is taken.
fn saved_name(name: &str, sent: &Sent) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let kept: Vec<char> = last.trim_start_matches(['.', '-']).chars().map(plain).collect();
    // The end says what it is.
    let kept: String = kept.iter().skip(kept.len().saturating_sub(FILE_NAME_CHARS_MAX)).collect();
    let kept = if kept.is_empty() { "log".to_owned() } else { kept };
    let is_taken = |name: &String| sent.logs.contains(name) || sent.facts.as_ref() == Some(name);
    let others = (2..).map(|number| format!("{number}_{kept}"));
    std::iter::once(kept.clone()).chain(others).find(|name| !is_taken(name)).unwrap_or(kept)
}

impl From<MultipartError> for Fault {
    fn from(error: MultipartError) -> Fault {
        if error.status().is_server_error() {
            return Fault::bad(format!(
                "the form broke off, or more than {UPLOAD_OVERHEAD_MAX} bytes of it were in no file and no field; nothing was kept"
            ));
        }
        Fault::new(error.status(), error.body_text())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{CONTENT_TYPE, COOKIE as COOKIES};
    use tower::ServiceExt as _;

    use super::*;
    use crate::rig::Rig;
    use crate::session::COOKIE;

    /// A part of a form: its name, the name of its file, and what is in it.
    type Part = (&'static str, Option<&'static str>, String);

    fn request(parts: &[Part]) -> Request {
        let mut body = String::new();
        for (name, file, text) in parts {
            let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
            body += &format!("--xyz\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n");
        }
        body += "--xyz--\r\n";
        let request = Request::builder().method("POST").uri("/hunts/log").header("sec-fetch-site", "same-origin");
        request.header(CONTENT_TYPE, "multipart/form-data; boundary=xyz").body(Body::from(body)).unwrap()
    }

    fn log(name: &'static str, text: &str) -> Part {
        ("log", Some(name), text.to_owned())
    }

    fn field(name: &'static str, text: &str) -> Part {
        (name, None, text.to_owned())
    }

    /// What becomes of a form whose token was looked at.
    async fn saved(parts: &[Part], most: u64) -> Result<(Sent, Fields, tempfile::TempDir), Fault> {
        let folder = tempfile::tempdir().unwrap();
        let mut sent = Sent::into_folder(folder.path().join("sent")).unwrap();
        let (upload, _) = Upload::begun(request(parts)).await?;
        let fields = upload.save(&mut sent, most).await?;
        Ok((sent, fields, folder))
    }

    #[tokio::test]
    async fn files_are_saved_by_plain_names_and_fields_are_handed_back() {
        let facts = ("facts", Some("accounts.jsonl"), "{}".to_owned());
        let none = ("log", Some(""), String::new());
        let parts = [
            field("csrf", "x"),
            log("../../a b.jsonl", "one"),
            none,
            log("a_b.jsonl", "two"),
            facts,
            field("from", "é"),
        ];
        let (sent, fields, _folder) = saved(&parts, 8).await.unwrap();
        assert_eq!(sent.logs, ["a_b.jsonl", "2_a_b.jsonl"]);
        assert_eq!(sent.facts.as_deref(), Some("accounts.jsonl"));
        assert_eq!(std::fs::read_to_string(sent.folder().join("2_a_b.jsonl")).unwrap(), "two");
        assert_eq!(fields, Fields::from([("from".to_owned(), "é".to_owned())]));
        let status = saved(&parts, 7).await.err().map(|fault| fault.status());
        assert_eq!(status, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn no_name_leads_elsewhere_or_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let sent = Sent::into_folder(folder.path().join("sent")).unwrap();
        for (name, expected) in [
            ("..", "log"),
            ("-", "log"),
            ("..\\x", "x"),
            ("/etc/passwd", "passwd"),
            ("--json", "json"),
            ("a\u{0}b", "a_b"),
            ("", "log"),
        ] {
            assert_eq!(saved_name(name, &sent), expected, "{name}");
        }
        let long = format!("{}.jsonl.zst", "x".repeat(FILE_NAME_CHARS_MAX));
        let kept = saved_name(&long, &sent);
        assert!(kept.len() == FILE_NAME_CHARS_MAX && kept.ends_with(".jsonl.zst"));
    }

    #[tokio::test]
    async fn so_many_files_and_fields_of_so_many_bytes_are_taken() {
        let refused = async |parts: Vec<Part>| saved(&parts, 1_000).await.err().map(|fault| fault.status());
        let logs = |count: usize| {
            let logs = (0..count).map(|_| log("x", "1"));
            [field("csrf", "")].into_iter().chain(logs).collect()
        };
        assert_eq!(refused(logs(FILES_MAX)).await, None);
        assert_eq!(refused(logs(FILES_MAX + 1)).await, Some(StatusCode::BAD_REQUEST));
        const NAMES: [&str; 21] =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u"];
        let fields = |count: usize| NAMES.iter().take(count).map(|name| field(name, "1"));
        assert_eq!(refused([field("csrf", "")].into_iter().chain(fields(FIELDS_MAX)).collect()).await, None);
        let more = [field("csrf", "")].into_iter().chain(fields(FIELDS_MAX + 1)).collect();
        assert_eq!(refused(more).await, Some(StatusCode::BAD_REQUEST));
        let long = |bytes: usize| vec![field("csrf", ""), field("from", &"x".repeat(bytes))];
        assert_eq!(refused(long(FIELD_BYTES_MAX)).await, None);
        assert_eq!(refused(long(FIELD_BYTES_MAX + 1)).await, Some(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(
            refused(vec![field("csrf", ""), ("other", Some("x"), "1".to_owned())]).await,
            Some(StatusCode::BAD_REQUEST)
        );
    }

    #[tokio::test]
    async fn what_is_in_no_file_and_no_field_is_bounded_and_files_are_not() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let (_, token, csrf) = &people[1];
        let most = UPLOAD_OVERHEAD_MAX as usize;
        // As a network brings it: some bytes before the first part, and then the form.
        let send = async |before: usize, parts: Vec<Part>| {
            let (mut head, body) = request(&parts).into_parts();
            head.headers.insert(COOKIES, format!("{COOKIE}={token}").parse().unwrap());
            let form = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
            let whole = ["x".repeat(before).into_bytes(), b"\r\n".to_vec(), form.to_vec()].concat();
            let chunks: Vec<_> =
                whole.chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(Bytes::copy_from_slice(chunk))).collect();
            let request = Request::from_parts(head, Body::from_stream(tokio_stream::iter(chunks)));
            rig.router.clone().oneshot(request).await.unwrap().status()
        };
        let form = || vec![field("csrf", csrf), log("x", &"y".repeat(3 * most)), log("z", &"y".repeat(3 * most))];
        assert_eq!(send(most / 2, form()).await, StatusCode::SEE_OTHER);
        assert_eq!(rig.begun.lock().unwrap()[0].files, ["x", "z"]);
        assert_eq!(send(2 * most, form()).await, StatusCode::BAD_REQUEST);
        assert_eq!(rig.begun.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn only_a_form_of_this_session_brings_files() {
        let rig = Rig::new().await;
        let people = rig.everybody().await;
        let (_, token, csrf) = &people[1];
        let send = async |parts: Vec<Part>| {
            let mut request = request(&parts);
            request.headers_mut().insert(COOKIES, format!("{COOKIE}={token}").parse().unwrap());
            rig.router.clone().oneshot(request).await.unwrap().status()
        };
        let log = || log("x.jsonl", "{}");
        assert_eq!(send(vec![field("csrf", "other"), log()]).await, StatusCode::FORBIDDEN);
        // The token has to come first, before anything is kept.
        assert_eq!(send(vec![log(), field("csrf", csrf)]).await, StatusCode::FORBIDDEN);
        assert_eq!(send(vec![field("csrf", csrf)]).await, StatusCode::BAD_REQUEST);
        assert!(rig.begun.lock().unwrap().is_empty());
        assert_eq!(send(vec![field("csrf", csrf), log()]).await, StatusCode::SEE_OTHER);
        assert_eq!(rig.begun.lock().unwrap()[0].files, ["x.jsonl"]);
        let _taken = rig.console.uploads.try_acquire_many(crate::limits::UPLOADS_MAX as u32).unwrap();
        assert_eq!(send(vec![field("csrf", csrf), log()]).await, StatusCode::SERVICE_UNAVAILABLE);
    }
}
