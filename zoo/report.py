def write_report(*a): pass
def metrics_table(m, d): import json; return json.dumps(m["test"])+str(m["seconds"])+d
def write_summary(d): return ""
