//! Functions to the clouds.
