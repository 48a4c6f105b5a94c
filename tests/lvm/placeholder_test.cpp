// Tests of lvm/.
