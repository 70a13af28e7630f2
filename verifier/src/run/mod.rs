//! DURING: drives the load, watches the target, takes in the traces; everything seen goes to `record`.
