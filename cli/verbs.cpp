// vimg: the verbs that need no mount.
