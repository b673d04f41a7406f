//! A case file as an archive.
//!
//! Promises that the same case makes the same bytes, and that nothing is in it that the manifest does not have but the manifest itself and the receipt
//! over that.

use std::collections::BTreeMap;
use std::io::Write as _;

use rawzip::{CompressionMethod, ZipArchiveWriter};
use serde_json::{Value, json};
use verify::case::{ENTRIES, EXPORT, MANIFEST, Manifest, RECORDS, TEXTS};
use verify::hash::Hash;

use crate::case::{Case, record_name};
use crate::method::{ASSUMED, MEASURED, STEPS};
use crate::{html, pdf, report};

const README: &str = "\
This is a case file of Stillwatch: what was found and done about one campaign, with what shows it.

report.html, report.pdf   the report: read it first; section 9 says how to check all of this
certification.html, .pdf  the draft of a certification, for counsel
inference/                what detection says: an inference
facts/                    what was known of the accounts
method.json               how it was found, with which parameters, and how often that is wrong
records/                  recorded exchanges, a line each, with the proof that the ledger has them
texts/                    what those of them say that were sealed and opened for this case file
entries/                  receipts of entries of the ledger
attachments/              what was put beside
manifest.json             the SHA-256 of every file
export.tlog-proof         the receipt of the ledger's entry that has the SHA-256 of manifest.json

stillwatch-verify CASE.zip --key KEY checks it, offline. Take the key from somebody you trust.
";

/// A case file that only lacks the receipt over its manifest.
#[derive(Debug)]
pub struct Draft {
    files: BTreeMap<String, Vec<u8>>,
    manifest: Vec<u8>,
}

impl Draft {
    /// The files of a case.
    ///
    /// # Errors
    ///
    /// When one cannot be written as JSON.
    pub fn of(case: &Case<'_>) -> serde_json::Result<Draft> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        files.insert("README.txt".to_owned(), README.into());
        files.insert("inference/finding.json".to_owned(), pretty(&serde_json::to_value(case.campaign)?)?);
        let lines = case.accounts.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>();
        files.insert("facts/accounts.jsonl".to_owned(), lines.into());
        files.insert("method.json".to_owned(), pretty(&method(case)?)?);
        for entry in case.entries {
            files.insert(format!("{ENTRIES}{:08}.tlog-proof", entry.index), entry.receipt.clone().into());
        }
        for (at, record) in case.records.iter().enumerate() {
            files.insert(format!("{RECORDS}{}.json", record_name(at)), pretty(&serde_json::to_value(&record.line)?)?);
        }
        for (at, text) in case.records.iter().enumerate().filter_map(|(at, record)| Some((at, record.text.as_ref()?))) {
            files.insert(format!("{TEXTS}{}.json", record_name(at)), text.to_vec());
        }
        for attachment in case.attachments {
            files.insert(format!("attachments/{}", attachment.name), attachment.bytes.clone());
        }
        let document = report::of(case);
        files.insert("report.html".to_owned(), html::page(&document).into());
        files.insert("report.pdf".to_owned(), pdf::pdf(&document));
        let hashes: Vec<(String, String)> =
            files.iter().map(|(path, bytes)| (path.clone(), Hash::of(&[bytes]).to_hex())).collect();
        let document = report::certification(case, &hashes);
        files.insert("certification.html".to_owned(), html::page(&document).into());
        files.insert("certification.pdf".to_owned(), pdf::pdf(&document));
        let manifest = Manifest::of(case.id, &case.campaign.id, case.made_at, case.by, &files);
        let manifest = pretty(&serde_json::to_value(manifest)?)?;
        Ok(Draft { files, manifest })
    }

    /// The hash that the ledger has to have before the case file is handed out.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(&[&self.manifest])
    }

    /// The archive, with the receipt of the entry that has the hash.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn sealed(mut self, receipt: &str) -> std::io::Result<Vec<u8>> {
        self.files.insert(MANIFEST.to_owned(), self.manifest);
        self.files.insert(EXPORT.to_owned(), receipt.into());
        let mut out = Vec::new();
        let mut archive = ZipArchiveWriter::new(&mut out);
        for (path, bytes) in &self.files {
            let file = archive.new_file(path.as_str()).compression_method(CompressionMethod::STORE);
            let (mut entry, config) = file.start().map_err(std::io::Error::other)?;
            let mut data = config.wrap(&mut entry);
            data.write_all(bytes)?;
            let (_, descriptor) = data.finish().map_err(std::io::Error::other)?;
            entry.finish(descriptor).map_err(std::io::Error::other)?;
        }
        archive.finish().map_err(std::io::Error::other)?;
        Ok(out)
    }
}

fn method(case: &Case<'_>) -> serde_json::Result<Value> {
    Ok(json!({
        "version": case.version,
        "parameters": {
            "alpha": case.findings.guarantee.alpha, "tested": case.findings.guarantee.hypotheses,
            "exchanges": case.findings.population.exchanges, "accounts": case.findings.population.accounts,
            "findings_version": case.findings.version,
        },
        "guarantee": case.findings.guarantee.text,
        "steps": STEPS,
        "measured": serde_json::to_value(MEASURED)?,
        "assumed": ASSUMED,
        "limits_reached": case.findings.limits_reached,
        "blind_spots": case.findings.blind_spots,
    }))
}

fn pretty(value: &Value) -> serde_json::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}
