//! What the history of changes has built: tables, columns, indexes, constraints.
