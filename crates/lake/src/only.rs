//! What a column of a row has to be: looked at before the rest of the row is read, so that rows which cannot be asked for cost little.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, BooleanArray, ListArray, RecordBatch, StringArray};

/// A column that rows are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The account.
    Account,
    /// The model.
    Model,
    /// The address of the caller.
    Address,
    /// What it is after: any of it.
    Intent,
}

impl Column {
    /// Its name in parts.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Column::Account => "account",
            Column::Model => "model",
            Column::Address => "client_ip",
            Column::Intent => "intents",
        }
    }
}

/// Whether a text of a column is one that is asked for.
type Test = dyn Fn(&str) -> bool + Send + Sync;

/// Only rows in which a column is as asked. A row that has nothing there is none of them.
#[derive(Clone)]
pub struct Only {
    pub(crate) column: Column,
    is_asked: Arc<Test>,
}

impl std::fmt::Debug for Only {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Only").field("column", &self.column).finish_non_exhaustive()
    }
}

impl Only {
    /// Rows in which this column `is_asked`.
    pub fn new(column: Column, is_asked: impl Fn(&str) -> bool + Send + Sync + 'static) -> Only {
        Only { column, is_asked: Arc::new(is_asked) }
    }

    /// Which rows of a batch with this column alone pass.
    pub(crate) fn passes(&self, batch: &RecordBatch) -> BooleanArray {
        let Some(column) = batch.columns().first() else { return BooleanArray::from(vec![false; batch.num_rows()]) };
        (0..batch.num_rows()).map(|row| Some(self.passes_at(column, row))).collect()
    }

    fn passes_at(&self, column: &ArrayRef, row: usize) -> bool {
        if column.is_null(row) {
            return false;
        }
        if let Some(texts) = column.as_any().downcast_ref::<StringArray>() {
            return (self.is_asked)(texts.value(row));
        }
        let Some(lists) = column.as_any().downcast_ref::<ListArray>() else { return false };
        let list = lists.value(row);
        let texts = list.as_any().downcast_ref::<StringArray>();
        texts.is_some_and(|texts| texts.iter().flatten().any(|text| (self.is_asked)(text)))
    }
}
