//! A file in a form (`multipart/form-data`), as the APIs take it.
//!
//! Promises that what was understood is what a server reads: the form is written anew. Fields that are not known, twice there
//! or too long are refused.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use multer::{Constraints, Multipart, SizeLimit};

use crate::limits::{BODY_BYTES_MAX, FORM_TEXT_BYTES_MAX};

/// A file that is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// The fields besides, by their names, in their order.
    pub(crate) texts: Vec<(String, String)>,
    /// The file.
    pub(crate) file: Bytes,
    /// Its name.
    pub(crate) name: String,
    /// What it says it is.
    pub(crate) kind: Option<String>,
}

/// Fields that are no file and go on to a server.
const TEXTS: [&str; 3] = ["purpose", "expires_after[anchor]", "expires_after[seconds]"];

/// Why a form is refused; the text may be shown to the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the form cannot be read: {0}")]
pub(crate) struct BadForm(String);

impl Form {
    /// Reads the body of a request.
    ///
    /// # Errors
    ///
    /// When it is no form with one file.
    pub(crate) async fn read(headers: &HeaderMap, body: &Bytes) -> Result<Form, BadForm> {
        let bad = |error: multer::Error| BadForm(error.to_string());
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind)
            .map_err(|_| BadForm("expected `content-type: multipart/form-data` with a boundary".to_owned()))?;
        let limits = TEXTS.iter().fold(SizeLimit::new().for_field("file", BODY_BYTES_MAX as u64), |limits, text| {
            limits.for_field(*text, FORM_TEXT_BYTES_MAX)
        });
        let constraints = Constraints::new().size_limit(limits);
        let mut parts = Multipart::with_reader_with_constraints(body.as_ref(), boundary, constraints);
        let (mut texts, mut file) = (Vec::new(), None);
        while let Some(part) = parts.next_field().await.map_err(bad)? {
            let name = part.name().unwrap_or_default().to_owned();
            if name == "file" && file.is_none() {
                let told = part.file_name().unwrap_or("file").to_owned();
                if told.len() as u64 > FORM_TEXT_BYTES_MAX {
                    return Err(BadForm(format!("the file's name is longer than {FORM_TEXT_BYTES_MAX} bytes")));
                }
                let kind = part.content_type().map(|kind| kind.essence_str().to_owned());
                file = Some((told, kind, part.bytes().await.map_err(bad)?));
            } else if TEXTS.contains(&name.as_str()) && texts.iter().all(|(known, _)| *known != name) {
                let text = part.text().await.map_err(bad)?;
                // Nobody is to read another word than this.
                if !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte))
                {
                    return Err(BadForm(format!("expected small letters, digits, `_` and `-` in `{name}`")));
                }
                texts.push((name, text));
            } else {
                let name = name.escape_default();
                return Err(BadForm(format!("the field `{name}` is not known, or there twice")));
            }
        }
        let (name, kind, file) = file.ok_or_else(|| BadForm("it has no field `file`".to_owned()))?;
        Ok(Form { texts, file, name, kind })
    }

    /// A field that is no file.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// The form as it goes on, with a boundary that `random` makes unlike anything in it; none where it is not.
    pub(crate) fn write(&self, random: u128) -> Option<(HeaderValue, Bytes)> {
        let boundary = format!("stillwatch-{random:032x}");
        if memchr::memmem::find(&self.file, boundary.as_bytes()).is_some() {
            return None;
        }
        let mut body = Vec::with_capacity(self.file.len() + 1_024);
        for (name, text) in &self.texts {
            let part = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        // A name may not end what it stands in.
        let plain = |letter: char| if letter.is_control() || letter == '"' || letter == '\\' { '_' } else { letter };
        let name: String = self.name.chars().map(plain).collect();
        let kind = self.kind.as_deref().unwrap_or("application/octet-stream");
        let head = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: {kind}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&self.file);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Some((HeaderValue::try_from(format!("multipart/form-data; boundary={boundary}")).ok()?, body.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(parts: &[(&str, &str)]) -> Result<Form, BadForm> {
        let mut body = String::new();
        for (head, text) in parts {
            body += &format!("--XX\r\nContent-Disposition: form-data; {head}\r\n\r\n{text}\r\n");
        }
        body += "--XX--\r\n";
        read_body(&body).await
    }

    async fn read_body(body: &str) -> Result<Form, BadForm> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=XX"));
        Form::read(&headers, &Bytes::from(body.to_owned())).await
    }

    const FILE: (&str, &str) = ("name=\"file\"; filename=\"a.jsonl\"", "{}\r\n--X\r\n{}");

    #[tokio::test]
    async fn a_form_is_written_anew_as_it_was_understood() {
        let form = read(&[("name=\"purpose\"", "batch"), FILE]).await.unwrap();
        assert_eq!((form.text("purpose"), form.text("x"), form.name.as_str()), (Some("batch"), None, "a.jsonl"));
        let (kind, body) = form.write(7).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind);
        let again = Form::read(&headers, &body).await.unwrap();
        assert_eq!(again, Form { kind: Some("application/octet-stream".to_owned()), ..form });
        // A name that would end its header does not.
        let form = read(&[("name=\"file\"; filename=\"a%22; name=b\"", "x")]).await.unwrap();
        let sly = Form { name: "a\"; name=\"purpose\r\n\r\n".to_owned(), ..form.clone() };
        let (kind, body) = sly.write(7).unwrap();
        headers.insert(CONTENT_TYPE, kind);
        assert_eq!(Form::read(&headers, &body).await.unwrap().name, "a_; name=_purpose____");
        // A boundary that is in the file is not used.
        let form = Form { file: Bytes::from(format!("stillwatch-{:032x}", 7)), ..form };
        assert!(form.write(7).is_none() && form.write(8).is_some());
    }

    #[tokio::test]
    async fn what_is_no_form_with_one_file_is_refused() {
        let long = "x".repeat(FORM_TEXT_BYTES_MAX as usize + 1);
        let named = format!("name=\"file\"; filename=\"{long}\"");
        for parts in [
            &[("name=\"purpose\"", "batch")][..],
            &[FILE, FILE],
            &[FILE, ("name=\"purpose\"", "a"), ("name=\"purpose\"", "b")],
            &[FILE, ("name=\"model\"", "a")],
            &[FILE, ("name=\"purpose\"", "a\r\nb")],
            &[FILE, ("name=\"purpose\"", "batch ")],
            &[FILE, ("name=\"purpose\"", "BATCH")],
            &[FILE, ("name=\"purpose\"", &long)],
            &[(&named, "x")],
        ] {
            assert!(read(parts).await.is_err(), "{parts:?}");
        }
        assert!(read(&[FILE, ("name=\"purpose\"", &long[1..])]).await.is_ok());
        assert!(read(&[(&named.replacen('x', "", 1), "x")]).await.is_ok());
        for body in ["", "--XX\r\n", "--XX--", "--XX\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nhalf"] {
            assert!(read_body(body).await.is_err(), "{body}");
        }
        assert!(Form::read(&HeaderMap::new(), &Bytes::from_static(b"x")).await.is_err());
    }
}
