package deploy

import "encoding/json"

const (
	columns = 3
	width   = 24 / columns
	height  = 8
)

type object = map[string]any

// Dashboard is the table as Grafana imports it.
func Dashboard() ([]byte, error) {
	var panels []object
	y, id := 0, 1
	for _, row := range Rows() {
		panels = append(panels, object{"id": id, "type": "row", "title": row.Title, "collapsed": false, "gridPos": place(0, y, 24, 1)})
		id, y = id+1, y+1
		for i, p := range row.Panels {
			panels = append(panels, p.draw(id, place(i%columns*width, y+i/columns*height, width, height)))
			id++
		}
		y += (len(row.Panels) + columns - 1) / columns * height
	}
	text, err := json.MarshalIndent(object{
		"uid": "closetrace", "title": "closetrace: why TCP connections end", "tags": []string{"closetrace", "tcp"},
		"schemaVersion": 39, "editable": true, "refresh": "30s", "time": object{"from": "now-3h", "to": "now"},
		"panels": panels, "templating": object{"list": []object{
			{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
			{
				"name": "instance", "type": "query", "label": "Host", "datasource": source, "multi": true, "includeAll": true, "refresh": 2,
				"query": object{"query": "label_values(closetrace_build_info, instance)", "refId": "hosts"}, "allValue": ".*",
				"current": object{"text": "All", "value": "$__all"},
			},
		}},
	}, "", " ")
	return append(text, '\n'), err
}

var source = object{"type": "prometheus", "uid": "${datasource}"}

func place(x, y, w, h int) object { return object{"x": x, "y": y, "w": w, "h": h} }

func (p *Panel) draw(id int, at object) object {
	kind := "timeseries"
	if p.Stat {
		kind = "stat"
	}
	var targets []object
	for i, q := range p.Queries {
		targets = append(targets, object{"refId": string(rune('A' + i)), "datasource": source, "expr": q.Expr, "legendFormat": q.Legend, "instant": p.Stat, "range": !p.Stat})
	}
	return object{
		"id": id, "type": kind, "title": p.Title, "description": p.Note, "gridPos": at, "datasource": source, "targets": targets,
		"fieldConfig": object{"defaults": object{"unit": p.Unit, "min": 0}, "overrides": []any{}},
		"options":     object{},
	}
}
