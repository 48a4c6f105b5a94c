// Tests of fsdrivers/.
