//! Settings, transactions, maintenance.

#[derive(Debug, Clone, PartialEq)]
pub struct Set {
    /// Lower case: `lock_timeout`, `search_path`, `role`.
    pub name: String,
    /// Raw value without quotes; `None` for `DEFAULT` and for `RESET`.
    pub value: Option<String>,
    pub scope: SetScope,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetScope {
    Session,
    Local,
    Reset,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    Begin,
    Commit,
    Rollback,
    Savepoint,
    Release,
    RollbackTo,
    PrepareTransaction,
    CommitPrepared,
    RollbackPrepared,
    /// `SET TRANSACTION`, `SET CONSTRAINTS`.
    Characteristics,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReindexTarget {
    Index,
    Table,
    Schema,
    Database,
    System,
}
