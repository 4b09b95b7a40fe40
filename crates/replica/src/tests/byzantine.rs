//! Validators that lie, one by one: what the others say, and that they go on.
