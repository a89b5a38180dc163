"""Every regime against every other, over seeds; and one setting at a time, over its values."""
