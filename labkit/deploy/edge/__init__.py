"""Several devices and a cloud tier: accept on the device's own disk, answer there, pass on what may leave, also when offline."""
