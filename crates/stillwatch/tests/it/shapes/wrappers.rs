//! What stands around records on their way through delivery streams, log shippers and databases.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::spans::any_value;
use super::traffic::Call;
use crate::cli::gzip;

/// A record and the call that it is of.
pub(super) struct Line<'a> {
    pub(super) call: &'a Call,
    pub(super) record: Value,
}

impl Line<'_> {
    fn text(&self) -> String {
        self.record.to_string()
    }

    /// The text as most programs write it, with a newline.
    fn line(&self) -> String {
        format!("{}\n", self.record)
    }

    fn base64(&self) -> String {
        STANDARD.encode(self.text())
    }
}

fn each(lines: &[Line<'_>], wrap: impl Fn(&Line<'_>) -> Value) -> Vec<Value> {
    lines.iter().map(wrap).collect()
}

/// Several records in one wrapper, each made by `item`.
fn batches(lines: &[Line<'_>], item: impl Fn(&Line<'_>) -> Value, wrap: impl Fn(Vec<Value>) -> Value) -> Vec<Value> {
    lines.chunks(4).map(|lines| wrap(lines.iter().map(&item).collect())).collect()
}

pub(super) type Wrap = fn(&[Line<'_>]) -> Vec<Value>;

fn cloudwatch_event(line: &Line<'_>) -> Value {
    json!({"id": "3819570", "timestamp": line.call.millis(), "message": line.text()})
}

fn cloudwatch_data(events: Vec<Value>) -> Value {
    json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "calls", "logStream": "one",
        "subscriptionFilters": ["all"], "logEvents": events,
    })
}

fn packed(value: &Value) -> String {
    STANDARD.encode(gzip(value.to_string().as_bytes()))
}

/// A message of SQS.
fn queued(body: &str) -> Value {
    json!({
        "messageId": "m", "receiptHandle": "h", "body": body, "attributes": {"SentTimestamp": "1784505600500"},
        "messageAttributes": {}, "md5OfBody": "d", "eventSource": "aws:sqs", "awsRegion": "eu-west-1",
    })
}

/// An event of EventBridge.
fn event(line: &Line<'_>) -> Value {
    json!({
        "version": "0", "id": "e", "detail-type": "call", "source": "gateway", "account": "111122223333",
        "time": line.call.rfc3339(), "region": "eu-west-1", "resources": [], "detail": line.record,
    })
}

pub(super) const WRAPPERS: [(&str, Wrap); 45] = [
    ("CloudWatch subscription", |lines| batches(lines, cloudwatch_event, cloudwatch_data)),
    ("CloudWatch in a function's event", |lines| {
        batches(lines, cloudwatch_event, |events| json!({"awslogs": {"data": packed(&cloudwatch_data(events))}}))
    }),
    ("CloudWatch in Firehose", |lines| {
        batches(
            lines,
            cloudwatch_event,
            |events| json!({"records": [{"recordId": "4", "data": packed(&cloudwatch_data(events))}]}),
        )
    }),
    ("CloudWatch get-log-events", |lines| {
        let event =
            |line: &Line<'_>| json!({"timestamp": line.call.millis(), "message": line.text(), "ingestionTime": 1});
        batches(lines, event, |events| json!({"events": events, "nextForwardToken": "f/1"}))
    }),
    ("CloudWatch Insights", |lines| {
        each(lines, |line| json!({"@timestamp": line.call.database_time(), "@message": line.text(), "@ptr": "Cl0="}))
    }),
    ("Kinesis", |lines| {
        let record = |line: &Line<'_>| {
            json!({"kinesis": {"partitionKey": "1", "data": line.base64(), "approximateArrivalTimestamp": 1784505600.5},
                   "eventSource": "aws:kinesis"})
        };
        batches(lines, record, |records| json!({"Records": records}))
    }),
    ("Kinesis get-records", |lines| {
        let record = |line: &Line<'_>| json!({"SequenceNumber": "49", "Data": line.base64(), "PartitionKey": "1"});
        batches(lines, record, |records| json!({"Records": records, "MillisBehindLatest": 0}))
    }),
    ("Firehose", |lines| {
        let record =
            |line: &Line<'_>| json!({"recordId": "49", "approximateArrivalTimestamp": 1, "data": line.base64()});
        batches(lines, record, |records| json!({"invocationId": "i", "region": "eu-west-1", "records": records}))
    }),
    ("SQS", |lines| batches(lines, |line| queued(&line.text()), |records| json!({"Records": records}))),
    ("SNS", |lines| {
        let record = |line: &Line<'_>| json!({"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": line.text(), "Timestamp": line.call.rfc3339()}});
        batches(lines, record, |records| json!({"Records": records}))
    }),
    ("SNS in SQS", |lines| {
        let record = |line: &Line<'_>| queued(&json!({"Type": "Notification", "Message": line.text()}).to_string());
        batches(lines, record, |records| json!({"Records": records}))
    }),
    ("EventBridge", |lines| each(lines, event)),
    ("EventBridge in SQS", |lines| {
        batches(lines, |line| queued(&event(line).to_string()), |records| json!({"Records": records}))
    }),
    ("Pub/Sub", |lines| {
        each(
            lines,
            |line| json!({"message": {"data": line.base64(), "messageId": "1", "publishTime": line.call.rfc3339()}, "subscription": "s"}),
        )
    }),
    ("Google Cloud Logging, JSON", |lines| {
        each(lines, |line| {
            json!({
                "insertId": "i", "logName": "projects/p/logs/calls", "resource": {"type": "k8s_container", "labels": {}},
                "timestamp": line.call.rfc3339(), "severity": "INFO", "jsonPayload": line.record,
                "receiveTimestamp": line.call.rfc3339(),
            })
        })
    }),
    ("Google Cloud Logging, text", |lines| {
        each(lines, |line| {
            json!({
                "insertId": "i", "logName": "projects/p/logs/calls", "resource": {"type": "k8s_container", "labels": {}},
                "timestamp": line.call.rfc3339(), "textPayload": line.line(), "receiveTimestamp": line.call.rfc3339(),
            })
        })
    }),
    ("Google Cloud Logging, list of entries", |lines| {
        let entry =
            |line: &Line<'_>| json!({"insertId": "i", "timestamp": line.call.rfc3339(), "jsonPayload": line.record});
        batches(lines, entry, |entries| json!({"entries": entries}))
    }),
    ("Google Cloud Logging in Pub/Sub", |lines| {
        each(lines, |line| {
            let entry = json!({"insertId": "i", "timestamp": line.call.rfc3339(), "jsonPayload": line.record});
            json!({"message": {"data": STANDARD.encode(entry.to_string()), "messageId": "1"}, "subscription": "s"})
        })
    }),
    ("Event Hubs", |lines| batches(lines, |line| line.record.clone(), |records| json!({"records": records}))),
    ("Elasticsearch hits", |lines| {
        let hit = |line: &Line<'_>| json!({"_index": "calls", "_id": "1", "_score": 1.0, "_source": line.record});
        batches(
            lines,
            hit,
            |hits| json!({"took": 1, "timed_out": false, "hits": {"total": {"value": 4}, "hits": hits}}),
        )
    }),
    ("Elasticsearch dump", |lines| {
        each(lines, |line| json!({"_index": "calls", "_id": "1", "_score": 1, "_source": line.record}))
    }),
    ("Filebeat in Elasticsearch", |lines| {
        each(lines, |line| {
            json!({"_index": "calls", "_id": "1", "_source": {
                "@timestamp": line.call.rfc3339(), "message": line.text(), "log": {"offset": 1, "file": {"path": "/l"}},
                "agent": {"type": "filebeat"}, "host": {"name": "h"}, "event": {"ingested": line.call.rfc3339()},
            }})
        })
    }),
    ("Logstash", |lines| {
        each(
            lines,
            |line| json!({"@timestamp": line.call.rfc3339(), "@version": "1", "message": line.text(), "host": {"name": "h"}}),
        )
    }),
    ("Logstash event.original", |lines| {
        each(
            lines,
            |line| json!({"@timestamp": line.call.rfc3339(), "@version": "1", "event": {"original": line.line()}}),
        )
    }),
    ("Splunk export", |lines| {
        each(
            lines,
            |line| json!({"preview": false, "offset": 0, "result": {"_raw": line.text(), "_time": line.call.rfc3339(), "host": "h"}}),
        )
    }),
    ("Splunk results", |lines| {
        let result =
            |line: &Line<'_>| json!({"_raw": line.text(), "_time": line.call.rfc3339(), "source": "http:calls"});
        batches(lines, result, |results| json!({"preview": false, "fields": [{"name": "_raw"}], "results": results}))
    }),
    ("Splunk HEC", |lines| {
        each(
            lines,
            |line| json!({"time": line.call.time.seconds(), "host": "h", "source": "s", "sourcetype": "_json", "event": line.record}),
        )
    }),
    ("Loki query", |lines| {
        let value = |line: &Line<'_>| json!([line.call.time.nanos().to_string(), line.text()]);
        batches(lines, value, |values| {
            let stream = json!({"stream": {"app": "gateway"}, "values": values});
            json!({"status": "success", "data": {"resultType": "streams", "result": [stream], "stats": {}}})
        })
    }),
    ("Loki push", |lines| {
        let value = |line: &Line<'_>| json!([line.call.time.nanos().to_string(), line.text()]);
        batches(lines, value, |values| json!({"streams": [{"stream": {"app": "gateway"}, "values": values}]}))
    }),
    ("Loki line", |lines| {
        each(lines, |line| json!({"labels": {"app": "gateway"}, "line": line.text(), "timestamp": line.call.rfc3339()}))
    }),
    ("journald", |lines| {
        each(lines, |line| {
            let micros = (line.call.time.nanos() / 1000).to_string();
            json!({"__REALTIME_TIMESTAMP": micros, "_HOSTNAME": "h", "PRIORITY": "6", "MESSAGE": line.text()})
        })
    }),
    ("Datadog list", |lines| {
        let event = |line: &Line<'_>| {
            json!({"id": "A", "type": "log", "attributes": {
                "timestamp": line.call.rfc3339(), "status": "info", "service": "gateway", "tags": ["env:prod"],
                "attributes": line.record,
            }})
        };
        batches(lines, event, |events| json!({"data": events, "meta": {"page": {}}}))
    }),
    ("Datadog archive", |lines| {
        each(lines, |line| {
            json!({
                "_id": "A", "date": line.call.rfc3339(), "service": "gateway", "host": "h", "source": "python",
                "message": "call", "status": "info", "attributes": line.record, "tags": ["env:prod"],
            })
        })
    }),
    ("Fluent Bit", |lines| {
        each(lines, |line| {
            json!({
                "date": line.call.time.seconds(), "stream": "stdout", "log": line.line(),
                "kubernetes": {"pod_name": "gateway-1", "namespace_name": "prod", "labels": {"app": "gateway"}},
            })
        })
    }),
    ("Docker", |lines| {
        each(lines, |line| json!({"log": line.line(), "stream": "stdout", "time": line.call.rfc3339()}))
    }),
    ("Docker in Fluent Bit in CloudWatch", |lines| {
        let event = |line: &Line<'_>| {
            let docker = json!({"log": line.line(), "stream": "stdout", "time": line.call.rfc3339()});
            let shipped = json!({"date": 1, "log": docker.to_string(), "kubernetes": {"pod_name": "gateway-1"}});
            json!({"id": "1", "timestamp": line.call.millis(), "message": shipped.to_string()})
        };
        batches(lines, event, cloudwatch_data)
    }),
    ("Vector", |lines| {
        each(
            lines,
            |line| json!({"file": "/l", "host": "h", "message": line.text(), "source_type": "file", "timestamp": line.call.rfc3339()}),
        )
    }),
    ("Kafka", |lines| {
        each(
            lines,
            |line| json!({"topic": "calls", "partition": 0, "offset": 7, "timestamp": line.call.millis(), "key": null, "value": line.text()}),
        )
    }),
    ("pino", |lines| {
        each(
            lines,
            |line| json!({"level": 30, "time": line.call.millis(), "pid": 1, "hostname": "h", "msg": line.text()}),
        )
    }),
    ("structlog", |lines| {
        each(
            lines,
            |line| json!({"event": line.text(), "level": "info", "timestamp": line.call.rfc3339(), "logger": "calls"}),
        )
    }),
    ("list of data", |lines| batches(lines, |line| line.record.clone(), |data| json!({"data": data, "error": null}))),
    ("list of items", |lines| {
        batches(lines, |line| line.record.clone(), |items| json!({"items": items, "next": null}))
    }),
    ("rows", |lines| batches(lines, |line| line.record.clone(), |rows| json!({"rows": rows, "rowCount": 4}))),
    ("OTLP log records, text", |lines| otlp_logs(lines, |line| json!({"stringValue": line.text()}))),
    ("OTLP log records, object", |lines| otlp_logs(lines, |line| any_value(&line.record))),
];

fn otlp_logs(lines: &[Line<'_>], body: fn(&Line<'_>) -> Value) -> Vec<Value> {
    let record = |line: &Line<'_>| {
        json!({
            "timeUnixNano": line.call.time.nanos().to_string(), "severityNumber": 9, "body": body(line),
            "attributes": [{"key": "log.file.name", "value": {"stringValue": "calls.log"}}],
        })
    };
    batches(
        lines,
        record,
        |records| json!({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [{"scope": {}, "logRecords": records}]}]}),
    )
}
