//! The columns of a part: one list of names and kinds, from which the schema, what writes and what reads follow.
//!
//! Everything is flat and of kinds that every reader of Parquet knows: no unsigned numbers, times in microseconds of UTC.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Float32Builder, Float64Builder, Int32Builder, Int64Builder, ListBuilder,
    StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

const UTC: &str = "UTC";

/// A kind of column.
pub(crate) trait Kind {
    type Builder;
    type Array: Array + 'static;

    fn data_type() -> DataType;
    fn begin() -> Self::Builder;
    fn end(builder: &mut Self::Builder) -> ArrayRef;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident: $builder:ty, $array:ty, $type:expr, $begin:expr;)*) => {$(
        $(#[$doc])*
        pub(crate) enum $name {}

        impl Kind for $name {
            type Builder = $builder;
            type Array = $array;

            fn data_type() -> DataType {
                $type
            }

            fn begin() -> $builder {
                $begin
            }

            fn end(builder: &mut $builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

kinds! {
    Text: StringBuilder, StringArray, DataType::Utf8, StringBuilder::new();
    Bytes: BinaryBuilder, BinaryArray, DataType::Binary, BinaryBuilder::new();
    Int: Int32Builder, Int32Array, DataType::Int32, Int32Builder::new();
    Long: Int64Builder, Int64Array, DataType::Int64, Int64Builder::new();
    Float: Float32Builder, Float32Array, DataType::Float32, Float32Builder::new();
    Double: Float64Builder, Float64Array, DataType::Float64, Float64Builder::new();
    Flag: BooleanBuilder, BooleanArray, DataType::Boolean, BooleanBuilder::new();
    /// A time in microseconds.
    Micros: TimestampMicrosecondBuilder, TimestampMicrosecondArray,
        DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())), TimestampMicrosecondBuilder::new().with_timezone(UTC);
    Texts: ListBuilder<StringBuilder>, ListArray,
        DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))), ListBuilder::new(StringBuilder::new());
}

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident: $kind:ident,)*) => {
        /// Rows that are being put together.
        pub(crate) struct Building {
            $($(#[$doc])* pub(crate) $name: <$kind as Kind>::Builder,)*
        }

        impl Building {
            pub(crate) fn new() -> Building {
                Building { $($name: $kind::begin(),)* }
            }

            /// The rows so far; the next ones begin a batch of their own.
            pub(crate) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
                RecordBatch::try_new(schema(), vec![$($kind::end(&mut self.$name),)*])
            }
        }

        /// Rows that were read; a column that was not asked for is not there.
        pub(crate) struct Columns<'b> {
            $(pub(crate) $name: Option<&'b <$kind as Kind>::Array>,)*
        }

        impl<'b> Columns<'b> {
            pub(crate) fn of(batch: &'b RecordBatch) -> Columns<'b> {
                // Those that are there stand in the order of the schema.
                let schema = batch.schema_ref();
                let mut there = schema.fields().iter().zip(batch.columns()).peekable();
                Columns {
                    $($name: there
                        .next_if(|(field, _)| field.name() == stringify!($name))
                        .and_then(|(_, column)| column.as_any().downcast_ref()),)*
                }
            }
        }

        /// The schema of every part.
        pub(crate) fn schema() -> Arc<Schema> {
            let required = ["id", "time", "time_nanos", "account"];
            let field = |name: &str, kind: DataType| Field::new(name, kind, !required.contains(&name));
            Arc::new(Schema::new(vec![$(field(stringify!($name), $kind::data_type()),)*]))
        }
    };
}

columns! {
    id: Text,
    time: Micros,
    /// What is left of the time below a microsecond.
    time_nanos: Int,
    account: Text,
    org: Text,
    operation: Text,
    model: Text,
    client_ip: Text,
    client_asn: Long,
    client_country: Text,
    client_network: Text,
    client_ja4: Text,
    client_ja4h: Text,
    client_user_agent: Text,
    temperature: Float,
    top_p: Float,
    max_tokens: Long,
    n: Long,
    logprobs: Flag,
    top_logprobs: Long,
    logit_bias: Flag,
    echo: Flag,
    seed: Long,
    stream: Flag,
    reasoning_effort: Text,
    input_tokens: Long,
    output_tokens: Long,
    reasoning_tokens: Long,
    cached_tokens: Long,
    status: Int,
    duration_ms: Double,
    /// Keyed fingerprints of what was asked, of 12 bytes each.
    prints: Bytes,
    /// Of what was answered, of 8 bytes each.
    output_prints: Bytes,
    /// Hashes of words that were asked, of 4 bytes each.
    words: Bytes,
    meaning: Bytes,
    intents: Texts,
    follow_up: Flag,
    sealed_key: Text,
    sealed_salt: Bytes,
    sealed_commitment: Bytes,
    sealed_text: Bytes,
    /// What stood in clear beside the seal, where it does not follow from the other columns.
    clear: Bytes,
    /// The recorded file that it comes from.
    file: Text,
    /// The number of its line there, counted from 0.
    line: Long,
}

/// Whether a hunt needs a column.
pub(crate) fn is_for_a_hunt(name: &str) -> bool {
    !matches!(name, "clear" | "file" | "line") && !name.starts_with("sealed_")
}

/// Whether a search needs a column.
pub(crate) fn is_for_a_search(name: &str) -> bool {
    !matches!(name, "clear" | "output_prints" | "words" | "meaning") && !name.starts_with("sealed_")
}

/// Whether a column tells whose a row is, and when it was.
pub(crate) fn is_whose(name: &str) -> bool {
    matches!(name, "id" | "time" | "time_nanos" | "account")
}
